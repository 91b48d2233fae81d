// Command mlvc-bench measures mlvc against the project's budgets and against
// the machine's own limits, and makes the data sets to do it with.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

// version is stamped by the build.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mlvc-bench:", err)
		stop()
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "mlvc-bench",
		Short:         "Measure mlvc against its budgets, and make the data to do it with",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRun(), newUnpack(), newB3sum(), newDecode(), newTouch())
	return root
}
