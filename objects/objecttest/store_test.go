package objecttest_test

import (
	"errors"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
)

func TestStore(t *testing.T) {
	objecttest.Run(t, func(*testing.T) objects.Store { return objecttest.NewStore() })
}

func TestStoreFaults(t *testing.T) {
	s := objecttest.NewStore()
	id, err := s.Put(t.Context(), objects.Object{Kind: objects.KindChunk, Data: []byte("bytes")})
	if err != nil {
		t.Fatal(err)
	}
	s.Damage(id)
	if _, err := s.Get(t.Context(), id); !errors.Is(err, objects.ErrCorrupt) {
		t.Errorf("damaged: %v", err)
	}
	s.Delete(id)
	if _, err := s.Get(t.Context(), id); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if s.Gets() != 2 || s.Puts() != 1 || s.Len() != 0 {
		t.Errorf("%d gets, %d puts, %d objects", s.Gets(), s.Puts(), s.Len())
	}
}
