package core_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// overtaken is a place at whose first swap others come first.
type overtaken struct {
	bucket.Bucket
	first func()
}

func (b *overtaken) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	if first := b.first; first != nil {
		b.first = nil
		first()
	}
	return b.Bucket.Swap(ctx, key, old, data)
}

// A push that others overtake, who merge the packs that its own builds on,
// sends what it needs again.
func TestPushOntoReplacedPacks(t *testing.T) {
	place := buckettest.Memory()
	d := shareStart(t, place)
	table := []byte(noise(1, 250_000))
	change := func(in *data, i int) {
		copy(table[1000+i*1000:], fmt.Sprintf("change %d", i))
		in.write("table", string(table))
		in.write(fmt.Sprint("file", i), noise(uint64(i), 100))
		in.commit(core.CommitOptions{Message: fmt.Sprint(i)})
		_, err := sharePush(in)
		in.must(err)
	}
	for i := range 24 {
		change(d, i)
	}
	other := shareClone(t, d.env, place)
	late := &overtaken{Bucket: place, first: func() {
		for i := 30; i < 36; i++ {
			change(d, i)
		}
	}}
	shareOpen(other, late)
	_, err := within(other, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(t.Context(), core.SwitchOptions{Branch: "side", Create: true})
	})
	other.must(err)
	mine := append([]byte("another change"), table[14:]...)
	other.write("table", string(mine))
	other.commit(core.CommitOptions{Message: "mine"})
	res, err := sharePush(other)
	if err != nil || res.Tries < 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	again := shareClone(t, d.env, place)
	again.verify(true)
}
