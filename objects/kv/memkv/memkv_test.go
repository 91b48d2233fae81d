package memkv_test

import (
	"testing"

	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/kvtest"
	"github.com/mlvc/mlvc/objects/kv/memkv"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(*testing.T) kv.DB { return memkv.New() })
}

func TestFaultyConformance(t *testing.T) {
	kvtest.Run(t, func(*testing.T) kv.DB { return kvtest.Faulty(memkv.New(), 0) })
}
