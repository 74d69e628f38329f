//go:build !linux || !(amd64 || arm64)

package follow

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/closecap/closecap/capture/hint"
)

// Follower follows processes.
type Follower struct{}

func unsupported() error {
	err := fmt.Errorf("follow programs on %s/%s: %w", runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
	return hint.With(err, "following works on Linux, amd64 and arm64; capture with tcpdump and read the file with closecap analyze")
}

// Open is not supported here.
func Open(Options) (*Follower, error) { return nil, unsupported() }

// Close does nothing.
func (f *Follower) Close() error { return nil }

// Follow is not supported here.
func (f *Follower) Follow([]int) error { return unsupported() }

// FollowChildren is not supported here.
func (f *Follower) FollowChildren() (stop func(), err error) { return nil, unsupported() }

// Starts does nothing.
func (f *Follower) Starts(string) {}

// Poll is not supported here.
func (f *Follower) Poll(time.Duration) error { return unsupported() }

// Alive returns 0.
func (f *Follower) Alive() int { return 0 }

// Runs reports nothing.
func (f *Follower) Runs(int) bool { return false }

// HowEnded returns the exit status.
func HowEnded(state *os.ProcessState) (status int, signal string) { return state.ExitCode(), "" }

// Finish returns nothing.
func (f *Follower) Finish() Result { return Result{} }
