package split

import (
	"runtime"
	"sync"

	"github.com/mlvc/mlvc/objects"
)

// summer adds samples to the sums of their splits, on all processors, since
// the expansion of a sample costs a microsecond or two. The order does not
// matter. stop must be called, whatever happens.
type summer struct {
	batch   *batch
	work    chan *batch // nil until there is enough for the workers
	workers sync.WaitGroup
	pool    sync.Pool

	mu     sync.Mutex
	totals []*Sum // by split; the workers' are joined when they end
}

// batch is samples one after the other, each with the splits that it is in.
type batch struct {
	bytes []byte
	jobs  []job
}

type job struct {
	end    int // of the sample in bytes
	splits []int
	minus  bool
}

const batchJobs = 512

func newSummer() *summer {
	s := &summer{}
	s.pool.New = func() any { return &batch{} }
	s.batch = &batch{}
	return s
}

// start takes over a sum that was.
func (s *summer) start(split int, sum *Sum) { s.join(split, sum) }

// add adds a sample to the splits, or with minus takes it out. The slice is
// kept for a while and must not change.
func (s *summer) add(splits []int, minus bool, kind byte, path string, id objects.ID) {
	if len(splits) == 0 {
		return
	}
	b := s.batch
	b.bytes = appendSample(b.bytes, kind, path, id)
	b.jobs = append(b.jobs, job{len(b.bytes), splits, minus})
	if len(b.jobs) < batchJobs {
		return
	}
	if s.work == nil {
		s.hire()
	}
	s.work <- b
	s.batch = s.pool.Get().(*batch)
}

func (s *summer) hire() {
	n := runtime.GOMAXPROCS(0)
	s.work = make(chan *batch, 2*n)
	for range n {
		s.workers.Go(func() {
			var sums partial
			x := newExpander()
			for b := range s.work {
				sums.take(x, b)
				s.pool.Put(b)
			}
			s.collect(sums)
		})
	}
}

// partial are the sums that one goroutine makes.
type partial []*Sum

func (p *partial) take(x expander, b *batch) {
	var e element
	from := 0
	for _, j := range b.jobs {
		x.expand(b.bytes[from:j.end], &e)
		from = j.end
		for _, split := range j.splits {
			sum := p.of(split)
			if j.minus {
				sum.remove(&e)
			} else {
				sum.add(&e)
			}
		}
	}
	b.bytes, b.jobs = b.bytes[:0], b.jobs[:0]
}

func (p *partial) of(split int) *Sum {
	for len(*p) <= split {
		*p = append(*p, nil)
	}
	if (*p)[split] == nil {
		(*p)[split] = &Sum{}
	}
	return (*p)[split]
}

func (s *summer) collect(sums partial) {
	for split, sum := range sums {
		if sum != nil {
			s.join(split, sum)
		}
	}
}

func (s *summer) join(split int, sum *Sum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	(*partial)(&s.totals).of(split).join(sum)
}

// finish returns the sum of each split; nil for one without samples.
func (s *summer) finish() []*Sum {
	var sums partial
	sums.take(newExpander(), s.batch)
	s.collect(sums)
	s.stop()
	return s.totals
}

// stop ends the workers.
func (s *summer) stop() {
	if s.work != nil {
		close(s.work)
		s.workers.Wait()
		s.work = nil
	}
}
