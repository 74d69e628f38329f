package decode

import "fmt"

// linkNames are libpcap's names without DLT_ (https://www.tcpdump.org/linktypes.html).
var linkNames = map[uint16]string{
	0: "NULL", 1: "EN10MB", 9: "PPP", 10: "FDDI", 12: "RAW", 14: "RAW", 50: "PPP_SERIAL", 51: "PPP_ETHER", 101: "RAW",
	104: "C_HDLC", 105: "IEEE802_11", 108: "LOOP", 109: "ENC", 113: "LINUX_SLL", 117: "PFLOG", 119: "PRISM_HEADER", 127: "IEEE802_11_RADIO",
	166: "PPP_PPPD", 192: "PPI", 204: "PPP_WITH_DIR", 219: "MPLS", 228: "IPV4", 229: "IPV6", 239: "NFLOG", 242: "IPOIB",
	258: "PKTAP", 276: "LINUX_SLL2",
}

// LinkName returns libpcap's name of a LINKTYPE_ value, or its number.
func LinkName(linkType uint16) string {
	if name, ok := linkNames[linkType]; ok {
		return name
	}
	return fmt.Sprintf("LINKTYPE %d", linkType)
}
