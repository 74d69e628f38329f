package analyze

import "fmt"

// DropWarning says that a capture dropped packets, and how many of all its connections may lack some by
// their own numbers. Of no connection nothing is said.
func DropWarning(dropped, lacking, all uint64) string {
	lost := "the capture lost " + Count(dropped, "packet")
	if all == 0 {
		return lost
	}
	return fmt.Sprintf("%s: by their own numbers %d of %s may lack some", lost, lacking, Count(all, "connection"))
}
