//go:build !js

// Command closecapweb is closecap as a page of the browser: a capture that is dropped on it is analyzed
// there, and nothing leaves the machine. Built for js/wasm it is the program in the page, built for
// anything else it puts the page together. It does not capture, and has no commands: what it shows is the
// page that closecap analyze --html writes.
//
//	closecapweb WASM WASM_EXEC.JS LICENCES PAGE
package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
	//go:embed worker.js
	workerJS string
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "closecapweb: usage: closecapweb WASM WASM_EXEC.JS LICENCES PAGE")
		os.Exit(2)
	}
	if err := build(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintf(os.Stderr, "closecapweb: %v\n", err)
		os.Exit(1)
	}
}

// build writes the page to the last file: the program and Go's support of it, the licence texts of a folder.
func build(wasm, support, licences, to string) error {
	program, err := os.ReadFile(wasm)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(program); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	goJS, err := os.ReadFile(support)
	if err != nil {
		return err
	}
	texts, err := licenceTexts(licences)
	if err != nil {
		return err
	}
	// The worker is a text that the page's script starts, so it stands in a block of data.
	worker, err := json.Marshal(string(goJS) + "\n" + workerJS)
	if err != nil {
		return err
	}
	page := strings.NewReplacer(
		"{{css}}", pageCSS, "{{js}}", pageJS,
		"{{worker}}", string(worker), "{{wasm}}", base64.StdEncoding.EncodeToString(packed.Bytes()),
		"{{licences}}", html.EscapeString(texts),
	).Replace(pageHTML)
	return os.WriteFile(to, []byte(page), 0o644)
}

// licenceTexts joins the licence texts of a folder, each under its file's name.
func licenceTexts(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("read licences: none in %s", dir)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&all, "%s\n\n%s\n\n", filepath.Base(f), text)
	}
	return all.String(), nil
}
