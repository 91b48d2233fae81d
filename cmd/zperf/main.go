package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

func main() {
	ctx := context.Background()
	env := core.Env{FS: vfs.OS, Now: time.Now, Who: objects.Signature{Name: "x"}, Command: "perf", Events: core.NoEvents{}}
	dir := os.Args[1]
	if p := os.Getenv("PROF"); p != "" {
		f, _ := os.Create(p)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	r, err := core.Open(ctx, env, dir)
	if err != nil {
		r, err = core.Init(ctx, env, core.InitOptions{Dir: dir})
	}
	if err != nil {
		panic(err)
	}
	t := time.Now()
	switch os.Args[2] {
	case "commit":
		kind := core.KindAuto
		if len(os.Args) > 3 {
			kind = objects.CommitKind(os.Args[3])
		}
		res, err := r.Commit(ctx, core.CommitOptions{Message: "m", Kind: kind})
		fmt.Printf("%+v %v\n", res, err)
	case "status":
		st, err := r.Status(ctx, nil, func(core.StatusEntry) error { return nil })
		fmt.Printf("%+v %v\n", st, err)
	}
	fmt.Println(time.Since(t))
	r.Close()
	fmt.Println(time.Since(t))
}
