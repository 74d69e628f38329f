package decode

import "fmt"

// The link layers that need more than what stands in decode.go.
const (
	layerSLL layer = layerUnknownLink + 1 + iota
	layerSLL2
	layerNull
	layerHDLC
	layerFDDI
	layerWiFi
	layerRadiotap
	layerPrism
	layerPPI
	layerPktap
	layerPPPDirection
	layerEnc
	layerPFLog
	layerNFLog
	layerInfiniband
)

// links are the link types by their LINKTYPE_ value (https://www.tcpdump.org/linktypes.html), with
// libpcap's name without DLT_ and the header with which a packet begins. A new one is a row here, and
// where its header is new, a constant and a case.
var links = [...]struct {
	name   string
	header layer
}{
	0:   {"NULL", layerNull},
	1:   {"EN10MB", layerEthernet},
	9:   {"PPP", layerPPP},
	10:  {"FDDI", layerFDDI},
	12:  {"RAW", layerIP},
	14:  {"RAW", layerIP},
	50:  {"PPP_SERIAL", layerPPP},
	51:  {"PPP_ETHER", layerPPPoE},
	101: {"RAW", layerIP},
	104: {"C_HDLC", layerHDLC},
	105: {"IEEE802_11", layerWiFi},
	108: {"LOOP", layerNull},
	109: {"ENC", layerEnc},
	113: {"LINUX_SLL", layerSLL},
	117: {"PFLOG", layerPFLog},
	119: {"PRISM_HEADER", layerPrism},
	127: {"IEEE802_11_RADIO", layerRadiotap},
	166: {"PPP_PPPD", layerPPP},
	192: {"PPI", layerPPI},
	204: {"PPP_WITH_DIR", layerPPPDirection},
	219: {"MPLS", layerMPLS},
	228: {"IPV4", layerIP},
	229: {"IPV6", layerIP},
	239: {"NFLOG", layerNFLog},
	242: {"IPOIB", layerInfiniband},
	258: {"PKTAP", layerPktap},
	276: {"LINUX_SLL2", layerSLL2},
}

// linkLayer returns the header with which packets of a link type begin.
func linkLayer(linkType uint16) layer {
	if int(linkType) < len(links) && links[linkType].name != "" {
		return links[linkType].header
	}
	return layerUnknownLink
}

// LinkName returns libpcap's name of a LINKTYPE_ value, or its number.
func LinkName(linkType uint16) string {
	if int(linkType) < len(links) && links[linkType].name != "" {
		return links[linkType].name
	}
	return fmt.Sprintf("LINKTYPE %d", linkType)
}

func (d *Decoder) link(l layer) layer {
	switch l {
	case layerSLL:
		return d.sll()
	case layerSLL2:
		return d.sll2()
	case layerNull:
		return d.null()
	case layerHDLC:
		return d.hdlc()
	case layerFDDI:
		return d.fddi()
	case layerWiFi:
		return d.wifi()
	case layerRadiotap:
		return d.radiotap()
	case layerPrism:
		return d.prism()
	case layerPPI:
		return d.ppi()
	case layerPktap:
		return d.pktap()
	case layerPPPDirection:
		return d.after(1, layerPPP)
	case layerEnc: // address family, SPI and flags of the BSDs' IPsec interface
		return d.after(12, layerIP)
	case layerPFLog:
		return d.pflog()
	case layerNFLog:
		return d.nflog()
	case layerInfiniband:
		return d.infiniband()
	}
	return d.broken(UnknownLink)
}
