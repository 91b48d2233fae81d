package core

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/mlvc/mlvc/remote/bucket"
)

// probeBytes is what is written to measure a rate.
const probeBytes = 32 << 20

// probePrefix begins the keys of objects that are there only to be measured.
const probePrefix = "probe-"

// planRate finds out the rate of a plan, and says how it is known.
func (r *Repo) planRate(ctx context.Context, opt BackupPlanOptions) (rate float64, how string, err error) {
	switch {
	case opt.Rate > 0:
		return opt.Rate, "given", nil
	case opt.Place == "":
		return AssumedRate, "assumed", nil
	}
	rate, err = r.measureRate(ctx, opt.Place)
	return rate, "measured", err
}

// probeAge is after how long a probe was surely left by an interruption.
const probeAge = time.Hour

// measureRate writes an object at a place, durably, and removes it again. It
// returns the bytes a second.
func (r *Repo) measureRate(ctx context.Context, url string) (rate float64, err error) {
	if r.env.OpenBucket == nil {
		return 0, &PlaceError{"", url, errNoPlaces}
	}
	b, err := r.env.OpenBucket(ctx, url)
	if err != nil {
		return 0, unreached(ctx, "", url, err)
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := r.sweepProbes(ctx, b); err != nil {
		return 0, unreached(ctx, "", b.String(), err)
	}
	took, err := r.probe(ctx, b)
	if err != nil {
		return 0, unreached(ctx, "", b.String(), err)
	}
	return probeBytes / max(took.Seconds(), 1e-6), nil
}

// probe returns how long it takes to write probeBytes.
func (r *Repo) probe(ctx context.Context, b bucket.Bucket) (took time.Duration, err error) {
	body := make([]byte, probeBytes)
	rand.Read(body) //nolint:errcheck // it never fails
	key := probePrefix + hex.EncodeToString(body[:8])
	defer func() { err = errors.Join(err, b.Delete(context.WithoutCancel(ctx), key)) }()
	begin := r.env.Now()
	if err := b.PutIfAbsent(ctx, key, bytes.NewReader(body), probeBytes); err != nil {
		return 0, err
	}
	return r.env.Now().Sub(begin), nil
}

// sweepProbes removes what a probe left that was killed.
func (r *Repo) sweepProbes(ctx context.Context, b bucket.Bucket) error {
	for info, err := range b.List(ctx, probePrefix) {
		if err != nil {
			return err
		}
		if r.env.Now().Sub(info.Modified) > probeAge {
			if err := b.Delete(ctx, info.Key); err != nil {
				return err
			}
		}
	}
	return nil
}
