package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/zeebo/blake3"
)

func newB3sum() *cobra.Command {
	return &cobra.Command{
		Use:   "b3sum [FILE…]",
		Short: "Print the BLAKE3 of each file, hashed on one core; without FILE, of those named on standard input, one a line",
		RunE: func(cmd *cobra.Command, args []string) error {
			out := bufio.NewWriter(cmd.OutOrStdout())
			if err := b3sumAll(out, cmd.InOrStdin(), args); err != nil {
				return err
			}
			return out.Flush()
		},
	}
}

// b3sumAll writes "HASH  NAME" for each of names, or for each line of list
// when there are none.
func b3sumAll(out io.Writer, list io.Reader, names []string) error {
	buf := make([]byte, 1<<20)
	for _, name := range names {
		if err := b3sum(out, name, buf); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		return nil
	}
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		if err := b3sum(out, lines.Text(), buf); err != nil {
			return err
		}
	}
	return lines.Err()
}

// b3sum hashes one file, reading it by buf's length.
func b3sum(out io.Writer, name string, buf []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := blake3.New()
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%x  %s\n", h.Sum(nil), name)
	return err
}
