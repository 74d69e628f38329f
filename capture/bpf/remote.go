package bpf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Source tells how connections end: Endings, or Remote.
type Source interface {
	// Poll hands over the events that come within d. It may return earlier.
	Poll(d time.Duration, each func(event.KernelEvent)) error
	Lacks() []string // what this kernel can't tell, a sentence each
	Losses() Losses
	Close() error
}

// Remote hears from another process, by Serve, what this one may not ask the kernel itself. It is used by one
// goroutine.
type Remote struct {
	in           *json.Decoder
	out          *json.Encoder
	lacks        []string
	losses, then Losses
}

// What the two say to each other: a greeting, then one answer to each question.
type (
	greeting struct {
		Lacks []string `json:"lacks"`
	}
	question struct {
		Wait time.Duration `json:"wait"` // in nanoseconds
	}
	answer struct {
		Events []event.KernelEvent `json:"events"`
		Losses Losses              `json:"losses"`
	}
)

// Serve answers a Remote at the other end of stream with what s tells, until that end is closed.
func Serve(stream io.ReadWriter, s Source) error {
	in, out := json.NewDecoder(stream), json.NewEncoder(stream)
	err := out.Encode(greeting{s.Lacks()})
	for err == nil {
		var q question
		if err = in.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		}
		var a answer
		if err == nil {
			err = s.Poll(q.Wait, func(k event.KernelEvent) { a.Events = append(a.Events, k) })
		}
		if err == nil {
			a.Losses = s.Losses()
			err = out.Encode(a)
		}
	}
	return fmt.Errorf("tell what the kernel told: %w", err)
}

// Dial greets who serves at the other end of stream; io.EOF where nobody does.
func Dial(stream io.ReadWriter) (*Remote, error) {
	r := &Remote{in: json.NewDecoder(stream), out: json.NewEncoder(stream)}
	var g greeting
	if err := r.in.Decode(&g); err != nil {
		return nil, fmt.Errorf("hear what the kernel told: %w", err)
	}
	r.lacks = g.Lacks
	return r, nil
}

// Begin leaves out what was told before.
func (r *Remote) Begin() error {
	err := r.Poll(0, func(event.KernelEvent) {})
	r.then = r.losses
	return err
}

// Poll is Source's.
func (r *Remote) Poll(d time.Duration, each func(event.KernelEvent)) error {
	var a answer
	err := r.out.Encode(question{d})
	if err == nil {
		err = r.in.Decode(&a)
	}
	if err != nil {
		return fmt.Errorf("hear what the kernel told: %w", err)
	}
	r.losses = a.Losses
	for _, k := range a.Events {
		each(k)
	}
	return nil
}

// Lacks is Source's.
func (r *Remote) Lacks() []string { return r.lacks }

// Losses returns what was lost since Begin.
func (r *Remote) Losses() Losses { return r.losses.Since(r.then) }

// Close does nothing: who made the stream closes it.
func (r *Remote) Close() error { return nil }
