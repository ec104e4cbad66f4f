package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
)

// maxLine bounds one line of input: the largest transaction in hex, twice over.
const maxLine = 4 << 20

// eachLine hands every line of in, without surrounding space, to do and writes
// what do prints to out, buffered: any number of lines in constant memory.
func eachLine(in io.Reader, out io.Writer, do func(number int, line string, out *bufio.Writer) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	w := bufio.NewWriterSize(out, 64<<10)
	number := 0
	for lines.Scan() {
		number++
		if err := do(number, strings.TrimSpace(lines.Text()), w); err != nil {
			_ = w.Flush() // what went well before the error is still wanted
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return w.Flush()
}

// writeJSONLine writes one JSON value and a newline.
func writeJSONLine(w io.Writer, v any) error {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
