package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// imageRules draw splits. No image is near another.
const imageRules = `
[splits]
of = ["data/**"]
ratios = { train = 80, test = 20 }
seed = "1"
`

// imageSide is the width and height of a made image, in pixels.
const imageSide = 112

// makeImages writes n grey JPEG files, the same in every run: a few waves each,
// and noise, which compress about as photographs do.
func makeImages(ctx context.Context, data string, n int) error {
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	per := perFolder(n)
	for i := range n {
		if err := ctx.Err(); err != nil {
			break
		}
		name := fileName(data, i, per)
		if i%per == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
		}
		work.Go(func() error { return os.WriteFile(name[:len(name)-len(".bin")]+".jpg", madeImage(uint64(i)), 0o644) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func madeImage(seed uint64) []byte {
	r := rand.New(newNoise(seed))
	waves := make([]wave, 6)
	for i := range waves {
		waves[i] = newWave(r.NormFloat64()*0.08, r.NormFloat64()*0.08, r.Float64()*2*math.Pi, 10+r.Float64()*25)
	}
	img := image.NewGray(image.Rect(0, 0, imageSide, imageSide))
	for y := range imageSide {
		for x := range imageSide {
			v := 128 + r.NormFloat64()*4
			for i := range waves {
				v += waves[i].at(x, y)
			}
			img.Pix[y*img.Stride+x] = uint8(max(0, min(255, v)))
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, nil); err != nil {
		panic(err) // a buffer takes all
	}
	return out.Bytes()
}

// wave is a plane wave over an image: the cosine of a sum, of which the sines
// and cosines of both parts are kept, for they are slow to make.
type wave struct{ sinX, cosX, sinY, cosY [imageSide]float64 }

func newWave(x, y, phase, height float64) wave {
	var w wave
	for i := range imageSide {
		w.sinX[i], w.cosX[i] = math.Sincos(x * float64(i))
		sin, cos := math.Sincos(y*float64(i) + phase)
		w.sinY[i], w.cosY[i] = height*sin, height*cos
	}
	return w
}

func (w *wave) at(x, y int) float64 { return w.cosX[x]*w.cosY[y] - w.sinX[x]*w.sinY[y] }

// ensureImages makes a first commit that is held to splits and checks.
func (b *bench) ensureImages(ctx context.Context, s *set) error {
	return b.ensureRules(ctx, s, imageRules)
}

// checkNear looks for near-duplicates, with no hash kept from before.
func checkNear(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureImages(ctx, s); err != nil {
		return sample{}, err
	}
	if err := os.RemoveAll(filepath.Join(s.repo(), "cache", "facts")); err != nil {
		return sample{}, err
	}
	return b.run(ctx, s, "check", "HEAD")
}

func decodeImages(ctx context.Context, b *bench, s *set) (sample, error) {
	return b.tool(ctx, b.self, "decode", s.data())
}

func newDecode() *cobra.Command {
	return &cobra.Command{
		Use:   "decode DIR",
		Short: "Decode every JPEG file below a folder, on all cores, and print how many there are",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := decodeAll(args[0])
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), n)
			}
			return err
		},
	}
}

func decodeAll(dir string) (n int, err error) {
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		n++
		work.Go(func() error {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
		return nil
	})
	if waited := work.Wait(); err == nil {
		err = waited
	}
	return n, err
}
