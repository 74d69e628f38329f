package analyze

// IdleClose is a request that met the close of an idle connection: nothing was under way, one end closed, and the
// other sent once more, for which it was reset. Where last words were asked for, what met the close is no message that
// only closes, as a GOAWAY.
type IdleClose struct {
	By       Side    `json:"by"`        // who closed
	Fin      uint64  `json:"fin"`       // frame
	Request  uint64  `json:"request"`   // frame of the first payload that met the close
	MarginNS int64   `json:"margin_ns"` // from the FIN to the request where they were captured; negative where the request came first
	IdleNS   PerSide `json:"idle_ns"`   // since the last payload of either end: until the FIN of the one, the request of the other
	Crossed  bool    `json:"crossed"`   // the request had left before the FIN came in; else its sender's kernel had the FIN already
}
