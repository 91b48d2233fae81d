// Package backupplan computes what a strategy of backup would have cost over a
// history, and would cost over what follows at the same rate. It does no I/O.
//
// The model, of a backup after each commit:
//
//  1. A set holds what the history up to its commit has and the history up to
//     its base has not: contents, those of commits between included, and
//     metadata. A full has no base, so it holds all. A chain therefore always
//     holds the whole history up to its newest commit, once.
//  2. To these bytes come the parity, a record of each object in the footer of
//     its pack and in the set's index, and the manifest.
//  3. A restore reads each pack range that the tree needs once, and of every
//     set in the chain the manifest and the index. So its bytes are nearly the
//     same under every strategy; how many sets must be whole is not.
//  4. What the model leaves out: deltas that a set has to store whole, as their
//     base comes later in it or is outside of its chain, and on the other side
//     what deltas are built on, which a restore reads too.
//  5. Times are bytes over one rate, that of the destination.
package backupplan

import (
	"errors"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// Commit is one moment of a history. Bytes are as stored in packs where they
// are said to be stored, else sizes of files.
type Commit struct {
	Time    time.Time
	Files   int64 // of its tree
	Bytes   int64 // of its tree
	Tree    int64 // stored: what a restore of it reads, each object once
	Held    int64 // stored: what the history first has with it
	Objects int64 // how many objects Held is
}

// History is what a plan is made from.
type History struct {
	Commits []Commit // oldest first
	// Differs returns the sizes of the files that commit i has other than, or
	// beyond, commit full.
	Differs func(full, i int) (int64, error)
}

// Facts are what a kind is chosen from; all bytes are as stored. Where a commit
// expects what it will hold by the ones before it, here it is known.
type Facts struct {
	Now       time.Time
	FullTime  time.Time
	FullBytes int64
	// ChainLen counts the sets that the set before stands on beside the full,
	// itself included; ChainBytes is what they hold.
	ChainLen   int
	ChainBytes int64
	// Incremental and Differential are what the next would hold.
	Incremental  int64
	Differential int64
}

// Options say what is planned.
type Options struct {
	Horizon   int     // commits to come, each as the mean of those that were
	FullEvery int     // incremental and differential begin anew after so many sets
	KeepFull  int     // the newest fulls, and what stands on them, are kept; 0: everything
	Rate      float64 // bytes a second
	Parity    float64 // bytes of parity for a byte of a pack
	// Choose decides for the strategy auto.
	Choose func(Facts) objects.CommitKind
}

// The strategies.
const (
	FullOnly     = "full"
	Incremental  = "incremental"
	Differential = "differential"
	Auto         = "auto"
)

// Outcome is what one strategy comes to. Backups and restores of the history
// are counted, and with Horizon in its name also those of the commits to come.
type Outcome struct {
	Strategy string `json:"strategy"`
	Sets     int64  `json:"sets"`  // written
	Fulls    int64  `json:"fulls"` // of these
	// Stored is what is at the destination at the end, Written what was ever
	// written to it.
	Stored         int64 `json:"stored_bytes"`
	Written        int64 `json:"written_bytes"`
	StoredHorizon  int64 `json:"stored_horizon_bytes"`
	WrittenHorizon int64 `json:"written_horizon_bytes"`
	// Backup is the mean of all backups but the first, which is the same under
	// every strategy; Largest is the largest of them.
	Backup      int64         `json:"backup_bytes"`
	BackupTime  time.Duration `json:"backup_time_ns"`
	Largest     int64         `json:"largest_backup_bytes"`
	LargestTime time.Duration `json:"largest_backup_time_ns"`
	// Restore is of the newest commit of the history.
	Restore     int64         `json:"restore_bytes"`
	RestoreTime time.Duration `json:"restore_time_ns"`
	RestoreSets int64         `json:"restore_sets"`
	MostSets    int64         `json:"most_restore_sets"` // of any commit, those to come too

	Points []Point `json:"-"` // one a backup, those to come too
}

// price is what strategies are compared by: what is written and what is kept,
// over the horizon.
func (o Outcome) price() int64 { return o.WrittenHorizon + o.StoredHorizon }

// Point is the destination after one backup.
type Point struct {
	Kind    objects.CommitKind
	Stored  int64 // bytes
	Restore int64 // bytes to restore its commit
	Sets    int64 // that this restore reads
}

// Plan is the answer to which strategy to use.
type Plan struct {
	Commits    int64     `json:"commits"`
	Horizon    int64     `json:"horizon"` // commits to come
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	FullEvery  int64     `json:"full_every"`
	KeepFull   int64     `json:"keep_full"` // 0: everything is kept
	Rate       float64   `json:"rate_bytes_per_second"`
	RateIs     string    `json:"rate_is"` // given, measured or assumed
	Parity     string    `json:"parity"`
	Strategies []Outcome `json:"strategies"`
	// Recommended is one of the strategies, Reason why in one sentence.
	Recommended string `json:"recommended"`
	Reason      string `json:"reason"`
}

// ErrNoCommits is for a history that there is nothing of to back up.
var ErrNoCommits = errors.New("there is no commit to back up")

// Make computes a plan. It fails with ErrNoCommits, and as Differs does.
func Make(h History, opt Options) (Plan, error) {
	n := len(h.Commits)
	if n == 0 {
		return Plan{}, ErrNoCommits
	}
	if n == 1 {
		opt.Horizon = 0 // it does not say how much will change
	}
	p := Plan{
		Commits: int64(n), Horizon: int64(opt.Horizon), From: h.Commits[0].Time, To: h.Commits[n-1].Time,
		FullEvery: int64(opt.FullEvery), KeepFull: int64(opt.KeepFull), Rate: opt.Rate,
	}
	long := h.extended(opt.Horizon)
	for _, s := range []struct {
		name string
		rule rule
	}{{FullOnly, always}, {Incremental, periodic(objects.Incremental)}, {Differential, periodic(objects.Differential)}, {Auto, chosen}} {
		o, err := simulate(long, n, opt, s.rule)
		if err != nil {
			return Plan{}, err
		}
		o.Strategy = s.name
		p.Strategies = append(p.Strategies, o)
	}
	p.Recommended, p.Reason = recommend(p.Strategies)
	if n == 1 {
		p.Recommended, p.Reason = Auto, "one commit does not tell how much will change, and auto decides with each backup anew"
	}
	return p, nil
}
