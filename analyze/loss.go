package analyze

import "fmt"

// LossWarning says that a capture lost packets, and how many of all its connections may lack some by
// their own numbers. Of no connection nothing is said.
func LossWarning(dropped, lacking, all uint64) string {
	lost := "the capture lost " + Count(dropped, "packet")
	if all == 0 {
		return lost
	}
	return fmt.Sprintf("%s: by their own numbers %d of %s may lack some", lost, lacking, Count(all, "connection"))
}
