//go:build linux && (!cgo || nopcap)

package live

import (
	"errors"
	"net"

	"closecap/analyze/event"
)

type handle struct{}

func openHandle(ifi *net.Interface, opt Options, m *marker) (*handle, error) {
	return nil, errors.ErrUnsupported
}
func (h *handle) next() (*event.Packet, error) { return nil, errors.ErrUnsupported }
func (h *handle) wake()                        {}
func (h *handle) linkType() uint16             { return 1 }
func (h *handle) stats() (Stats, error)        { return Stats{}, errors.ErrUnsupported }
func (h *handle) close()                       {}
