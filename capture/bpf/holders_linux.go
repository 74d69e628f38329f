package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/closecap/closecap/analyze/event"
)

// NamesHolders reports whether this kernel tells who holds a socket.
func (a *Attached) NamesHolders() bool { return a.holders != nil }

// Holders returns who has which socket as a descriptor, by socket cookie, of all processes and
// sockets that the programs have seen.
func (a *Attached) Holders() (map[uint64][]event.Task, error) {
	if a.holders == nil {
		return nil, fmt.Errorf("find socket holders: %w", errors.ErrUnsupported)
	}
	r, err := a.holders.Open()
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
