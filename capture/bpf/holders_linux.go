package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf/link"

	"github.com/closecap/closecap/analyze/event"
)

// Holding knows who holds sockets.
type Holding struct {
	iter *link.Iter // nil where the kernel has none
}

// Holders returns who has which socket as a descriptor, by socket cookie, of all processes and
// sockets that the programs have seen.
func (s *Holding) Holders() (map[uint64][]event.Task, error) {
	if s.iter == nil {
		return nil, fmt.Errorf("find socket holders: %w", errors.ErrUnsupported)
	}
	r, err := s.iter.Open()
	if err != nil {
		return nil, fmt.Errorf("find socket holders: %w", err)
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("find socket holders: %w", err)
	}
	return decodeHolders(all), nil
}

func decodeHolders(b []byte) map[uint64][]event.Task {
	m := map[uint64][]event.Task{}
	var h rawHolder
	for size := binary.Size(h); len(b) >= size; b = b[size:] {
		if _, err := binary.Decode(b, binary.NativeEndian, &h); err != nil {
			break
		}
		m[h.Cookie] = append(m[h.Cookie], event.Task{
			PID: int(h.PID), TID: int(h.PID), Comm: string(cString(h.Comm[:])), FD: int(h.FD), Owner: true,
		})
	}
	return m
}
