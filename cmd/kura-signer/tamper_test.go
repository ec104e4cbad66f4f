package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"kura/signer/rpc"
	"kura/signer/signertest"
)

// TestTampered: a journal that was put back to an older copy, or edited, is refused at the start and by doctor, who say
// why. Rows behind its end are cut off, and whoever cuts them says so.
func TestTampered(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	x.stop()
	path := filepath.Join(x.dir, "journal")
	older, olderAnchor := readAll(t, path), readAll(t, filepath.Join(x.dir, "anchor"))
	x.start("")
	x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small))
	x.stop()
	newest := readAll(t, path)
	// Everywhere: a page that bbolt has given up may hold the text, too, and come first.
	edited := bytes.ReplaceAll(newest, []byte(`"reference\":\"test\"`), []byte(`"reference\":\"tesT\"`))
	if bytes.Equal(edited, newest) {
		t.Fatal("the journal has no text to edit")
	}
	for _, c := range []struct {
		name   string
		file   []byte
		says   string
		doctor string
	}{
		{"rolled back", older, "journal rolled back", "anchors"},
		{"edited", edited, "journal altered at entry", "journal"},
	} {
		x.write("journal", string(c.file))
		x.start("")
		x.untilEnded()
		if code := x.process.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(x.log.String(), c.says) {
			t.Errorf("%s: exit %d\n%s", c.name, code, x.log)
		}
		x.process = nil
		out, _, code := x.run("doctor", "--config", x.config)
		if code != exitFailed || !strings.Contains(out, c.says) || !strings.Contains(out, "fail  "+c.doctor) {
			t.Errorf("doctor, %s: exit %d\n%s", c.name, code, out)
		}
	}
	// Journal and anchor file were put back together: only what witnesses cosigned tells, and doctor says which of them does.
	newestAnchor := readAll(t, filepath.Join(x.dir, "anchor"))
	x.write("journal", string(older))
	x.write("anchor", string(olderAnchor))
	x.write("state/cosigned", string(newestAnchor))
	out, _, code := x.run("doctor", "--config", x.config)
	if code != exitFailed || !strings.HasPrefix(lineWith(out, "the anchor file and the token hold"), "ok") ||
		!strings.HasPrefix(lineWith(out, "what they cosigned before: journal rolled back"), "fail  witnesses") {
		t.Errorf("doctor, rolled back with the anchor file: exit %d\n%s", code, out)
	}
	x.write("anchor", string(newestAnchor))
	x.write("journal", string(newest))
	x.addStray(t, path)
	x.start("")
	x.Until("readyz tells of what was cut off", func() bool {
		r, err := x.admin.Ready(t.Context())
		return err == nil && r.Ready && slices.ContainsFunc(r.Reasons, func(reason rpc.Reason) bool {
			return reason.Code == "stray_rows" && !reason.Stops && strings.Contains(reason.Detail, "cut off")
		})
	})
	x.stop()
	if out, stderr, code := x.run("doctor", "--config", x.config); code != exitOK || strings.Contains(out+stderr, "cut off") {
		t.Errorf("doctor after the cut: exit %d\n%s%s", code, out, stderr)
	}
	x.addStray(t, path)
	if out, stderr, code := x.run("doctor", "--config", x.config); code != exitOK || !strings.Contains(out, "warn  stray_rows") || !strings.Contains(stderr, "cut off") {
		t.Errorf("doctor, which cuts: exit %d\n%s%s", code, out, stderr)
	}
}

// addStray puts a row behind the journal's end into its file.
func (x *installation) addStray(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		entries := tx.Bucket([]byte("entries"))
		last, row := entries.Cursor().Last()
		next := bytes.Clone(last)
		next[len(next)-1]++ // a number, big-endian, and small here
		return entries.Put(next, bytes.Clone(row))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
