package analyze

import "net/netip"

// Transfer says that the connection carried a file or a list of FTP, and what its control connection said of that: the
// FIN at its end is the end of the file, whoever sent it and why.
type Transfer struct {
	Client netip.AddrPort `json:"client"` // of the control connection
	Server netip.AddrPort `json:"server"`
	// Named is the frame of the control connection that named the port to connect to, 0 where its number is not known.
	Named   uint64          `json:"named,omitempty"`
	Command string          `json:"command,omitempty"` // STOR, RETR, LIST...; "" where none came
	Reply   string          `json:"reply,omitempty"`   // the final one, "" where none came
	Frame   uint64          `json:"frame,omitempty"`   // of the reply
	Outcome TransferOutcome `json:"outcome,omitempty"` // "" where it is not known
	// Confidence is of all of it: that port and hosts are those that were named ties the two.
	Confidence Confidence `json:"confidence"`
}

// TransferOutcome is what became of a transfer, a stable code.
type TransferOutcome string

// The outcomes.
const (
	TransferComplete TransferOutcome = "complete" // the server said so
	TransferCut      TransferOutcome = "cut"      // the server said that it failed
	TransferRefused  TransferOutcome = "refused"  // the server did not begin it, or its data connection was not opened
	// TransferUntold: nobody said whether it is complete, or only who could not know.
	TransferUntold TransferOutcome = "untold"
)
