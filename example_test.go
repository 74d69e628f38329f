package closecap_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/pcaps"
)

// A capture file, however large: each connection as soon as it is over.
func Example() {
	files, err := pcapfile.Open([]string{"cmd/closecap/testdata/strace/close.pcap"}, nil, pcapfile.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for c, err := range closecap.New(files, closecap.Options{}).Connections(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Client, "to", c.Server, c.Ending)
		if c.Reset != nil {
			fmt.Println("sent by the", c.Reset.By, c.Reset.Cause, c.Reset.Confidence)
		}
	}
	// Output:
	// 127.0.0.1:32922 to 127.0.0.1:5077 reset
	// sent by the client data-after-close inferred
}

// The same capture and what strace wrote beside it: which calls caused the packets.
func ExampleAnalysis_Result() {
	files, err := pcapfile.Open([]string{"cmd/closecap/testdata/strace/close.pcap"}, nil, pcapfile.Options{})
	if err != nil {
		log.Fatal(err)
	}
	a := closecap.New(files, closecap.Options{StraceLogs: []string{"cmd/closecap/testdata/strace/close.log"}})
	for _, err := range a.Connections(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
	}
	for _, c := range a.Result().Calls {
		if len(c.Caused) > 0 {
			fmt.Println(c.Actor, c.Name, "caused frames", c.Caused)
		}
	}
	// Output:
	// python3[1606] connect caused frames [1 2 3]
	// python3[1606] send caused frames [4 5]
	// python3[1891] close caused frames [6]
	// python3[1891] send caused frames [7 8]
}

// A recording in memory, here one that the program carries, joined and said in words.
func Example_recording() {
	file, err := pcaps.Recording("linger-zero")
	if err != nil {
		log.Fatal(err)
	}
	source := pcapfile.NewReader(bytes.NewReader(file), "linger-zero", pcapfile.Options{})
	rec, err := intake.ReadRecording(context.Background(), source)
	if err != nil {
		log.Fatal(err)
	}
	res := join.Join(rec, analyze.Options{})
	for _, c := range res.Connections {
		fmt.Println(report.Verdict(res, c))
	}
	// Output:
	// reset: the client sent RST (frame 12): linger-zero, it closed with SO_LINGER 0, which aborts instead of sending FIN. The kernel says so.
	// client close() #11 sent it.
	// server recv() #13 still returned 12 bytes that had come before the RST.
	// server recv() #14 got ECONNRESET.
	// TIME_WAIT: nobody, an RST ends a connection at once.
	// Evidence: the RST continues the sequence of a live socket; the client had been sent no data, so none was unread; #10 had set SO_LINGER to 0 seconds; the kernel counted TCPAbortOnData +1 over #11.
}
