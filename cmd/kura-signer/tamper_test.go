package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kura/signer/signertest"
)

// TestTampered: a journal that was put back to an older copy, or edited, is refused at the start and by doctor, who say
// why.
func TestTampered(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	x.stop()
	path := filepath.Join(x.dir, "journal")
	older := readAll(t, path)
	x.start("")
	x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small))
	x.stop()
	newest := readAll(t, path)
	edited := bytes.Replace(newest, []byte(`"reference\":\"test\"`), []byte(`"reference\":\"tesT\"`), 1)
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
		<-x.ended
		if code := x.process.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(x.log.String(), c.says) {
			t.Errorf("%s: exit %d\n%s", c.name, code, x.log)
		}
		x.process = nil
		out, _, code := x.run("doctor", "--config", x.config)
		if code != exitFailed || !strings.Contains(out, c.says) || !strings.Contains(out, "fail  "+c.doctor) {
			t.Errorf("doctor, %s: exit %d\n%s", c.name, code, out)
		}
	}
	x.write("journal", string(newest))
	x.start("")
	x.stop()
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
