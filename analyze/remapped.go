package analyze

import "net/netip"

// Remapped names another connection whose numbers go on in this one, or go on there: an address translation on
// the way has forgotten the earlier one, and given what its end sent next an address or a port of its own.
type Remapped struct {
	Address netip.AddrPort `json:"address"` // of that end in the other connection
	Frame   uint64         `json:"frame"`   // the first of the other connection
	Earlier bool           `json:"earlier"` // the other is the earlier one
}
