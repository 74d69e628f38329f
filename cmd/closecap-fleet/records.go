package main

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
)

// records writes connections in a job's format.
type records struct {
	job     *job
	lines   *report.Stream
	parquet *parquet.GenericWriter[row]
}

func newRecords(w io.Writer, j *job) (*records, error) {
	r := &records{job: j}
	if j.Format == "parquet" {
		r.parquet = newParquetWriter(w)
		return r, nil
	}
	r.lines = report.NewStream(w, report.NDJSON, report.Options{Brief: j.Brief})
	return r, nil
}

// connection writes c as closecap analyze of the point's files does, and names the point. Instead of its number, which
// would depend on who followed it, its UID names it. It keeps nothing of c.
func (r *records) connection(c *analyze.Connection, point string) error {
	c.ID = 0
	if r.job.IDs {
		analyze.Identify(c)
	}
	if point != "" {
		c.Vantages = []analyze.Vantage{{Point: point, Client: c.Client, Server: c.Server, Packets: c.Packets}}
	}
	if r.parquet == nil {
		return r.lines.Connection(c)
	}
	_, err := r.parquet.Write([]row{rowOf(c, r.job.Brief)})
	return err
}

// close writes what is kept; it does not close what is written to.
func (r *records) close() error {
	if r.parquet != nil {
		return r.parquet.Close()
	}
	return r.lines.Flush()
}
