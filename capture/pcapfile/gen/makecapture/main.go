// Command makecapture writes the benchmark's capture to standard output.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/closecap/closecap/capture/pcapfile/gen"
)

func main() {
	var opt gen.Options
	flag.IntVar(&opt.Connections, "connections", 0, "how many in all (default 300000)")
	flag.IntVar(&opt.Open, "open", 0, "how many at a time (default 20000)")
	flag.IntVar(&opt.Requests, "requests", 0, "how many each connection has (default one to three)")
	flag.Uint64Var(&opt.Seed, "seed", 0, "another seed makes other connections")
	flag.Parse()
	made, err := gen.Write(os.Stdout, opt)
	if err != nil {
		fmt.Fprintln(os.Stderr, "makecapture:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "%d packets, %d connections, %d bytes\n",
		made.Packets, made.Connections, made.Bytes)
}
