//go:build !cgo || nopcap || windows

package live

import (
	"errors"
	"fmt"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

// CompileFilter is not supported without libpcap.
func CompileFilter(expr string, linkType uint16) (func(*event.Packet) bool, error) {
	return nil, hint.With(
		fmt.Errorf("compile filter %q: no libpcap in this build: %w", expr, errors.ErrUnsupported),
		"build with cgo and libpcap's headers (make run installs them)")
}
