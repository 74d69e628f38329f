//go:build !linux

package lab

import (
	"context"
	"errors"
	"fmt"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/lab/script"
)

// ActorMain does nothing: there are no actors here.
func ActorMain() {}

// Run is not supported here.
func Run(_ context.Context, s *script.Script, _ Options) (*event.Recording, error) {
	err := fmt.Errorf("run %s: %w: scenarios need Linux", s.Name, errors.ErrUnsupported)
	return &event.Recording{Run: event.Run{Scenario: s.Name}}, hint.With(err,
		"closecap analyze --sample "+s.Name+" shows a recording of it")
}
