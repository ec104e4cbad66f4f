package nem

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestDescriptionsOfTheExamples compares with a golden file, which people read.
func TestDescriptionsOfTheExamples(t *testing.T) {
	const golden = "testdata/descriptions.golden"
	var out bytes.Buffer
	all := loadExamples(t)
	for chain, list := range []([]example){all.NIS1, all.Symbol} {
		for _, x := range list {
			if x.Binary != "" {
				continue
			}
			out.WriteString("# " + x.Name + "\n")
			ok, err := DescribeLine(&out, x.network(t, Chain(chain+1)), []byte(x.Data+x.Payload))
			if !ok || err != nil {
				t.Errorf("%s: %v, %v", x.Name, ok, err)
			}
		}
	}
	for _, line := range []string{"zz", "00", "", all.NIS1[0].Data + "00"} {
		out.WriteString("# refused\n")
		if ok, err := DescribeLine(&out, NIS1Mainnet, []byte(line)); ok || err != nil {
			t.Errorf("%q: %v, %v", line, ok, err)
		}
	}
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", golden, diff)
	}
}

func TestDescribeLineReportsTheWriter(t *testing.T) {
	full := errors.New("disk full")
	if ok, err := DescribeLine(failing{full}, NIS1Mainnet, []byte(loadExamples(t).NIS1[0].Data)); !errors.Is(err, full) {
		t.Errorf("%v, %v", ok, err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestVerifyLines(t *testing.T) {
	all := loadExamples(t)
	for _, x := range all.NIS1 {
		line := `{"data":"` + strings.ToLower(x.Data) + `","signature":"` + x.Signature + `"}`
		if v := VerifyLine(x.network(t, NIS1), []byte(line)); v != (Verification{Valid: true, Hash: x.Hash}) {
			t.Errorf("%s: %+v", x.Name, v)
		}
	}
	for _, x := range all.Symbol {
		if x.Payload == "" {
			continue
		}
		if v := VerifyLine(x.network(t, Symbol), []byte(`{"payload":"`+x.Payload+`"}`)); v != (Verification{Valid: true, Hash: x.Hash}) {
			t.Errorf("%s: %+v", x.Name, v)
		}
	}
	nis1, symbol, cosigned := all.NIS1[0], all.Symbol[0], all.Symbol[3]
	payload := func(x example, at int, digit string) string {
		return `{"payload":"` + x.Payload[:at] + digit + x.Payload[at+1:] + `"}`
	}
	for _, c := range []struct {
		network Network
		line    string
		hash    bool
		want    string
	}{
		{NIS1Mainnet, ``, false, "want a JSON object"},
		{NIS1Mainnet, `{}`, false, `want {"data": hex, "signature": hex}`},
		{NIS1Mainnet, `{"data":"` + nis1.Data + `"}`, false, "and nothing else for NIS1 mainnet"},
		{NIS1Mainnet, `{"payload":"` + symbol.Payload + `"}`, false, "and nothing else for NIS1 mainnet"},
		{SymbolTestnet, `{"data":"00","signature":"00"}`, false, `want {"payload": hex}`},
		{SymbolTestnet, `{"payload":"` + symbol.Payload + `","data":"00"}`, false, "and nothing else"},
		{SymbolTestnet, `{"Payload":"00"}`, false, "want a JSON object"},
		{SymbolTestnet, `{"payload":"00","payload":"00"}`, false, "want a JSON object"},
		{SymbolTestnet, `{"payload":"00"}`, false, "has 1 bytes, want at least 128"},
		{SymbolTestnet, `{"payload":"0"}`, false, "not hex"},
		{NIS1Mainnet, `{"data":"` + nis1.Data + `","signature":"00"}`, false, "want 128 hex digits"},
		{NIS1Mainnet, `{"data":"` + nis1.Data + `","signature":"` + all.NIS1[1].Signature + `"}`, true, "not made by this key"},
		{NIS1Testnet, `{"data":"` + nis1.Data + `","signature":"` + nis1.Signature + `"}`, true, "offset 7, network: is that of NIS1 mainnet"},
		{SymbolTestnet, payload(symbol, 2*128+9, "0"), true, "offset 128, recipient: address checksum is wrong"},
		{SymbolTestnet, payload(symbol, 2*20, "0"), true, "not made by this key"},
		{SymbolTestnet, payload(cosigned, 2*420, "0"), true, "cosignature 1: signature is not valid"},
	} {
		v := VerifyLine(c.network, []byte(c.line))
		if v.Valid || !strings.Contains(v.Reason, c.want) || (v.Hash != "") != c.hash {
			t.Errorf("%.60s: %+v, want %q", c.line, v, c.want)
		}
	}
}
