package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"
)

// newTouch is the program that the bench runs once before timing: a virtual
// machine is slow with memory that it touches for the first time.
func newTouch() *cobra.Command {
	return &cobra.Command{
		Use:    "touch BYTES",
		Short:  "Write to so many bytes of memory once, and end",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || n < 0 {
				return fmt.Errorf("not a number of bytes: %q", args[0])
			}
			touch(make([]byte, n))
			return nil
		},
	}
}

// touch writes to every page.
func touch(b []byte) {
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
}
