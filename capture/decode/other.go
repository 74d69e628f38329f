package decode

import (
	"fmt"
	"iter"
	"strings"
)

// Other is what a packet was whose walk came to its end without TCP: the header that named something
// else, what it named, and the tunnel that it was in. The zero Other is nothing of the kind: a fragment
// that waits for its datagram.
type Other struct {
	stop   stop
	tunnel tunnel
	number uint16 // what the header says comes next
}

// stop is where a walk ended.
type stop uint8

const (
	_ stop = iota
	stopEtherType
	stopIP
	stopFragment
	stopLLC
	stopSNAP
	stopPPP
	stopNext // a tunnel's own number
	stopGRE
	stopMPLS
	stopTunnel // the tunnel's own message, or a variant that is not read
	stopCooked
	stopFamily
	stopFDDI
	stopWiFi
	stopProtected
	stopDTLS
	stopAggregate
	stopNFLog
)

// stops are the words of those whose number has no name.
var stops = [...]string{
	stopEtherType: "unknown EtherType 0x%04x",
	stopIP:        "unknown IP protocol %d",
	stopFragment:  "later fragments",
	stopLLC:       "802.2 LLC to SAP 0x%02x",
	stopSNAP:      "SNAP protocol 0x%04x",
	stopPPP:       "unknown PPP protocol 0x%04x",
	stopNext:      "unknown next protocol %d",
	stopGRE:       "GRE with source routes, or of another version",
	stopMPLS:      "MPLS over what is neither IP nor Ethernet",
	stopTunnel:    "without user data, or of another version",
	stopCooked:    "unknown Linux cooked type 0x%04x",
	stopFamily:    "unknown address family %d",
	stopFDDI:      "FDDI without LLC",
	stopWiFi:      "Wi-Fi without data",
	stopProtected: "Wi-Fi, encrypted",
	stopDTLS:      "DTLS",
	stopAggregate: "A-MSDU, of which only the first part is read",
	stopNFLog:     "NFLOG without payload",
}

// tunnel is what carries another packet.
type tunnel uint8

const (
	_ tunnel = iota
	inIP
	inGRE
	inVXLAN
	inGeneve
	inGTP
	inTeredo
	inL2TP
	inAYIYA
	inEtherIP
	inERSPAN
	inPPPoE
	inMPLS
	inLISP
	inTZSP
	inCAPWAP
	inNSH
	tunnelKinds
)

var tunnels = [tunnelKinds]string{
	inIP: "IP in IP", inGRE: "GRE", inVXLAN: "VXLAN", inGeneve: "Geneve", inGTP: "GTP", inTeredo: "Teredo",
	inL2TP: "L2TP", inAYIYA: "AYIYA", inEtherIP: "EtherIP", inERSPAN: "ERSPAN", inPPPoE: "PPPoE",
	inMPLS: "MPLS", inLISP: "LISP", inTZSP: "TZSP", inCAPWAP: "CAPWAP", inNSH: "NSH",
}

// named are the numbers that have a name. What is hidden may carry TCP; the rest is known to carry none.
var named = map[Other]struct {
	name   string
	hidden bool
}{
	{stop: stopEtherType, number: 0x0000}: {name: "keep-alive"}, // of GRE
	{stop: stopEtherType, number: 0x0806}: {name: "ARP"},
	{stop: stopEtherType, number: 0x0842}: {name: "Wake-on-LAN"},
	{stop: stopEtherType, number: 0x2000}: {name: "CDP"},
	{stop: stopEtherType, number: 0x2001}: {name: "NHRP"},
	{stop: stopEtherType, number: 0x8035}: {name: "RARP"},
	{stop: stopEtherType, number: 0x8137}: {name: "IPX"},
	{stop: stopEtherType, number: 0x8808}: {name: "Ethernet flow control"},
	{stop: stopEtherType, number: 0x8809}: {name: "LACP"},
	{stop: stopEtherType, number: 0x8863}: {name: "PPPoE discovery"},
	{stop: stopEtherType, number: 0x888e}: {name: "EAPOL"},
	{stop: stopEtherType, number: 0x8892}: {name: "PROFINET"},
	{stop: stopEtherType, number: 0x88a4}: {name: "EtherCAT"},
	{stop: stopEtherType, number: 0x88cc}: {name: "LLDP"},
	{stop: stopEtherType, number: 0x88e1}: {name: "HomePlug"},
	{stop: stopEtherType, number: 0x88e5}: {name: "MACsec", hidden: true},
	{stop: stopEtherType, number: 0x88f7}: {name: "PTP"},
	{stop: stopEtherType, number: 0x8902}: {name: "CFM"},
	{stop: stopEtherType, number: 0x9000}: {name: "Ethernet loopback test"},
	{stop: stopIP, number: 1}:             {name: "ICMP"},
	{stop: stopIP, number: 2}:             {name: "IGMP"},
	{stop: stopIP, number: 17}:            {name: "UDP"},
	{stop: stopIP, number: 46}:            {name: "RSVP"},
	{stop: stopIP, number: 50}:            {name: "ESP", hidden: true},
	{stop: stopIP, number: 58}:            {name: "ICMPv6"},
	{stop: stopIP, number: 59}:            {name: "IPv6 without payload"},
	{stop: stopIP, number: 88}:            {name: "EIGRP"},
	{stop: stopIP, number: 89}:            {name: "OSPF"},
	{stop: stopIP, number: 103}:           {name: "PIM"},
	{stop: stopIP, number: 108}:           {name: "IPComp", hidden: true},
	{stop: stopIP, number: 112}:           {name: "VRRP"},
	{stop: stopIP, number: 115}:           {name: "L2TPv3", hidden: true},
	{stop: stopIP, number: 132}:           {name: "SCTP"},
	{stop: stopIP, number: 136}:           {name: "UDP-Lite"},
	{stop: stopLLC, number: 0x42}:         {name: "spanning tree"},
	{stop: stopLLC, number: 0xe0}:         {name: "IPX"},
	{stop: stopLLC, number: 0xf0}:         {name: "NetBEUI"},
	{stop: stopLLC, number: 0xfe}:         {name: "IS-IS"},
	{stop: stopSNAP, number: 0x010b}:      {name: "spanning tree"},
	{stop: stopSNAP, number: 0x2000}:      {name: "CDP"},
	{stop: stopPPP, number: 0x8021}:       {name: "IPCP"},
	{stop: stopPPP, number: 0x8057}:       {name: "IPV6CP"},
	{stop: stopPPP, number: 0x80fd}:       {name: "CCP"},
	{stop: stopPPP, number: 0x00fd}:       {name: "PPP, compressed", hidden: true},
	{stop: stopPPP, number: 0x002d}:       {name: "PPP with Van Jacobson's compressed TCP headers", hidden: true},
	{stop: stopPPP, number: 0x002f}:       {name: "PPP with Van Jacobson's uncompressed TCP headers", hidden: true},
	{stop: stopPPP, number: 0x0053}:       {name: "PPP, encrypted", hidden: true},
	{stop: stopPPP, number: 0xc021}:       {name: "LCP"},
	{stop: stopPPP, number: 0xc023}:       {name: "PAP"},
	{stop: stopPPP, number: 0xc223}:       {name: "CHAP"},
}

// Hidden reports whether TCP may be in it nevertheless: it is encrypted, or closecap can't read it.
func (o Other) Hidden() bool {
	switch o.stop {
	case 0, stopFragment, stopLLC, stopWiFi, stopFDDI, stopTunnel, stopNFLog:
		return false
	}
	known, ok := named[Other{stop: o.stop, number: o.number}]
	return !ok || known.hidden
}

// String names it as people who read captures do.
func (o Other) String() string {
	words := stops[o.stop]
	if known, ok := named[Other{stop: o.stop, number: o.number}]; ok {
		words = known.name
	} else if strings.Contains(words, "%") {
		words = fmt.Sprintf(words, o.number)
	}
	switch {
	case o.stop == stopTunnel:
		return tunnels[o.tunnel] + " " + words
	case o.tunnel == 0 || o.stop == stopGRE:
		return words
	}
	return words + " in " + tunnels[o.tunnel]
}

// other ends the walk.
func (d *Decoder) other(s stop, number uint16) layer {
	d.found = Other{s, d.tunnel, number}
	return layerOther
}

// into notes that what follows is in a tunnel; the innermost one is named.
func (d *Decoder) into(t tunnel, l layer) layer {
	d.tunnel = t
	return l
}

// maxOthers is how many kinds are told apart; captures have a handful.
const maxOthers = 24

// Others counts packets by what they were instead of TCP.
type Others struct {
	kinds [maxOthers]struct {
		Other
		packets uint64
	}
	used int
	rest uint64 // packets of the kinds for which there is no room
}

// Add counts a packet. It is quick where the first few kinds are most of them.
func (o *Others) Add(k Other) {
	if k.stop != 0 {
		o.add(k, 1)
	}
}

// AddAll adds what others counted.
func (o *Others) AddAll(others *Others) {
	for k, n := range others.All() {
		o.add(k, n)
	}
	o.rest += others.rest
}

func (o *Others) add(k Other, packets uint64) {
	for i := range o.kinds[:o.used] {
		if o.kinds[i].Other == k {
			o.kinds[i].packets += packets
			return
		}
	}
	if o.used == maxOthers {
		o.rest += packets
		return
	}
	o.kinds[o.used].Other, o.kinds[o.used].packets = k, packets
	o.used++
}

// All returns the kinds with their packets, in the order in which they came.
func (o *Others) All() iter.Seq2[Other, uint64] {
	return func(yield func(Other, uint64) bool) {
		for _, k := range o.kinds[:o.used] {
			if !yield(k.Other, k.packets) {
				return
			}
		}
	}
}

// Rest returns how many packets were of more kinds than are told apart.
func (o *Others) Rest() uint64 { return o.rest }
