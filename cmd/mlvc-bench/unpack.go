package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// classes are Fashion-MNIST's labels, by number.
var classes = [...]string{"t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"}

// parts are the two halves of the data set: the folder that each is unpacked
// to, and how its files are named in the source.
var parts = [...]struct{ folder, prefix string }{{"train", "train"}, {"test", "t10k"}}

type unpackOptions struct {
	from, to string
	first    int // so many images of each part; 0 is all
	negative int // every image whose number it divides is inverted; 0 is none
}

func newUnpack() *cobra.Command {
	var opt unpackOptions
	cmd := &cobra.Command{
		Use:   "unpack --from DIR --to DIR",
		Short: "Unpack Fashion-MNIST (idx files) to PNG files, PART/CLASS/NUMBER.png",
		Long: `Unpack Fashion-MNIST to PNG files: train/sneaker/00001.png and so on, numbered
as in the source. The same source gives the same bytes everywhere. A file that
is there and equal is not written again.

The folder may hold the test part alone (10,000 images), as testdata/fashion-mnist
does, or both (70,000), as Debian's package dataset-fashion-mnist does under
/usr/share/datasets/fashion-mnist.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			written, total, err := unpack(opt)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d images, %d written\n", total, written)
			return err
		},
	}
	cmd.Flags().StringVar(&opt.from, "from", "testdata/fashion-mnist", "folder of the idx files")
	cmd.Flags().StringVar(&opt.to, "to", "", "folder to unpack to")
	cmd.Flags().IntVar(&opt.first, "first", 0, "unpack only the first `N` images of each part")
	cmd.Flags().IntVar(&opt.negative, "negative", 0, "write every `N`th image as its negative: a second version of the data")
	if err := cmd.MarkFlagRequired("to"); err != nil {
		panic(err)
	}
	return cmd
}

// unpack unpacks the parts that are there; it is an error if none is.
func unpack(opt unpackOptions) (written, total int, err error) {
	for _, p := range parts {
		images := filepath.Join(opt.from, p.prefix+"-images-idx3-ubyte.gz")
		labels := filepath.Join(opt.from, p.prefix+"-labels-idx1-ubyte.gz")
		if _, err := os.Stat(images); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		w, n, err := unpackPart(images, labels, filepath.Join(opt.to, p.folder), opt)
		if err != nil {
			return written, total, err
		}
		written, total = written+w, total+n
	}
	if total == 0 {
		return 0, 0, fmt.Errorf("no idx files in %s", opt.from)
	}
	return written, total, nil
}

func unpackPart(imagesName, labelsName, to string, opt unpackOptions) (written, total int, err error) {
	images, closeImages, err := openIdx(imagesName, 3)
	if err != nil {
		return 0, 0, err
	}
	defer closeImages()
	labels, closeLabels, err := openIdx(labelsName, 1)
	if err != nil {
		return 0, 0, err
	}
	defer closeLabels()
	if images.dims[0] != labels.dims[0] {
		return 0, 0, fmt.Errorf("%s: %d images but %d labels", imagesName, images.dims[0], labels.dims[0])
	}
	for _, class := range classes {
		if err := os.MkdirAll(filepath.Join(to, class), 0o755); err != nil {
			return 0, 0, err
		}
	}
	total = images.dims[0]
	if opt.first > 0 {
		total = min(total, opt.first)
	}
	png := newGreyPNG()
	var label [1]byte
	pixels := make([]byte, images.item)
	for i := 1; i <= total; i++ {
		if err := errors.Join(images.next(pixels), labels.next(label[:])); err != nil {
			return written, i - 1, fmt.Errorf("%s: image %d: %w", imagesName, i, err)
		}
		if int(label[0]) >= len(classes) {
			return written, i - 1, fmt.Errorf("%s: image %d has the unknown label %d", labelsName, i, label[0])
		}
		if opt.negative > 0 && i%opt.negative == 0 {
			invert(pixels)
		}
		name := filepath.Join(to, classes[label[0]], fmt.Sprintf("%05d.png", i))
		fresh, err := writeIfOther(name, png.encode(images.dims[2], images.dims[1], pixels))
		if err != nil {
			return written, i - 1, err
		}
		if fresh {
			written++
		}
	}
	return written, total, nil
}

// openIdx opens a gzip-compressed idx file of bytes.
func openIdx(name string, dims int) (*idx, func(), error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	gz, err := gzip.NewReader(f)
	if err == nil {
		var x *idx
		if x, err = readIdx(gz, dims); err == nil {
			return x, func() { f.Close() }, nil
		}
	}
	f.Close()
	return nil, nil, fmt.Errorf("%s: %w", name, err)
}

func invert(pixels []byte) {
	for i := range pixels {
		pixels[i] = ^pixels[i]
	}
}

// writeIfOther writes a file unless it already has these bytes, and says
// whether it wrote.
func writeIfOther(name string, data []byte) (bool, error) {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	return true, os.WriteFile(name, data, 0o644)
}
