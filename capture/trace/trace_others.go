//go:build !linux || !(amd64 || arm64)

package trace

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/closecap/closecap/capture/hint"
)

func run(context.Context, Options) (Result, error) {
	err := fmt.Errorf("trace program on %s/%s: %w", runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
	return Result{}, hint.With(err,
		"tracing works on Linux, amd64 and arm64; capture with tcpdump and read the file with closecap analyze")
}

func launcherMain() {}

// WithheldFrom returns nil: nothing is traced here.
func WithheldFrom(pid int) *Withheld { return nil }

// WithheldByFile returns nil: nothing is traced here.
func WithheldByFile(path string) *Withheld { return nil }
