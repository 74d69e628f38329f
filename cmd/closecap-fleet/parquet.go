package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/capture/hint"
)

// maxLine is the longest line of NDJSON that is read: a connection with a few hundred thousand segments.
const maxLine = 256 << 20

func newParquet(std streams) *cobra.Command {
	var out string
	var brief bool
	cmd := &cobra.Command{
		Use:   "parquet [FILE...] -o FILE.parquet",
		Short: "Parquet of what closecap analyze --format ndjson wrote",
		Long: `Read connections, one a line, from files or standard input, and write them as Parquet: the fields under
the same names, in structures and lists.`,
		Example: "  closecap analyze --format ndjson --ids server.pcap | closecap-fleet parquet -o server.parquet",
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return misused("parquet: want -o FILE")
			}
			return toParquet(cmd.Context(), args, out, brief, std)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the file to write, also at s3:// or gs://")
	cmd.Flags().BoolVar(&brief, "brief", false, "without the states and segments of each connection")
	return cmd
}

func toParquet(ctx context.Context, names []string, out string, brief bool, std streams) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	return writeWhole(ctx, out, func(w io.Writer) error {
		rows := newParquetWriter(w)
		for _, name := range names {
			if err := addLines(ctx, rows, name, brief, std.in); err != nil {
				return err
			}
		}
		return rows.Close()
	})
}

// addLines adds the connections of a file of NDJSON.
func addLines(ctx context.Context, rows interface{ Write([]row) (int, error) }, name string, brief bool, stdin io.Reader) error {
	in := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("read NDJSON: %w", err)
		}
		defer file.Close()
		in = file
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<20), maxLine)
	n := 0
	for lines.Scan() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var c analyze.Connection
		err := json.Unmarshal(line, &c)
		if err == nil && (!c.Client.IsValid() || !c.Server.IsValid() || c.Ending == "") {
			err = fmt.Errorf("no connection")
		}
		if err != nil {
			return hint.With(fmt.Errorf("read NDJSON: %s:%d: %w", name, n, err), "want the lines of closecap analyze --format ndjson")
		}
		if _, err := rows.Write([]row{rowOf(&c, brief)}); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read NDJSON: %s:%d: %w", name, n+1, err)
	}
	return nil
}
