//go:build ignore

package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// series are recordings of one shape, the larger after the smaller.
type series struct {
	name        string
	connections func(calls int) int
	calls       []int
	half        bool // see makerecording
}

// joins measures how the cost of recordings with calls grows with the number of calls. The exponent
// is that of the power of the calls that the CPU time grows with since the row before: 1 is linear,
// 2 is the square.
func joins(closecap, dir string, limit time.Duration) error {
	all := []series{
		{"one connection", func(int) int { return 1 }, []int{10_000, 100_000, 1_000_000}, false},
		{"1,000 connections", func(int) int { return 1000 }, []int{10_000, 100_000, 1_000_000}, false},
		{"10 calls a connection", func(calls int) int { return calls / 10 }, []int{10_000, 100_000, 300_000}, false},
		{"one connection's client", func(int) int { return 1 }, []int{10_000, 100_000, 1_000_000}, true},
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "recording\tformat\tcalls\tconnections\tseconds\tCPU seconds\tpeak memory\texponent")
	for _, s := range all {
		for _, format := range []string{"table", "json"} {
			last := cost{}
			for i, calls := range s.calls {
				path := filepath.Join(dir, fmt.Sprintf("%d-%d-%t.pcapng", s.connections(calls), calls, s.half))
				err := generate(path, "./capture/pcapfile/gen/makerecording",
					"-connections", fmt.Sprint(s.connections(calls)), "-calls", fmt.Sprint(calls), fmt.Sprintf("-half=%t", s.half))
				if err != nil {
					return err
				}
				var got cost
				c := contest{args: []string{closecap, "analyze", "--format", format, "{}"}, limit: limit}
				for range 3 {
					if err := measure(c, path, &got); err != nil {
						return err
					}
				}
				exponent := ""
				if i > 0 {
					growth := float64(calls) / float64(s.calls[i-1])
					exponent = fmt.Sprintf("%.2f", math.Log(got.cpu.Seconds()/last.cpu.Seconds())/math.Log(growth))
				}
				fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%.2f\t%.2f\t%d MB\t%s\n", s.name, format, calls, s.connections(calls),
					got.wall.Seconds(), got.cpu.Seconds(), got.memory>>20, exponent)
				last = got
			}
		}
	}
	return t.Flush()
}
