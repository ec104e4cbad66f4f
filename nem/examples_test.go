package nem

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// examples is worked examples: transactions of both chains made with
// symbol-sdk 3.3.2 and nem-sdk 1.6.11, with the keys that signed them. The copy
// in testdata is always run; the vectors test compares it with the shared one.
type examples struct {
	NIS1   []example `json:"nis1"`
	Symbol []example `json:"symbol"`
}

type example struct {
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Network    string         `json:"network"`
	PrivateKey string         `json:"privateKey"`
	Fields     jsontext.Value `json:"fields"`
	Data       string         `json:"data"`
	Payload    string         `json:"payload"`
	SignedData string         `json:"signedData"`
	Signature  string         `json:"signature"`
	Hash       string         `json:"hash"`
	InnerHash  string         `json:"innerHash"`
	Size       int            `json:"size"`
	Fee        string         `json:"fee"`
	Announce   jsontext.Value `json:"announce"`
	Binary     string         `json:"binary"`
}

// exampleFields are those of an example's fields that have one meaning.
type exampleFields struct {
	Timestamp *uint64 `json:"timestamp"`
	Deadline  *uint64 `json:"deadline"`
	Fee       *uint64 `json:"fee"`
	Amount    *uint64 `json:"amount"`
	Recipient string  `json:"recipient"`
	Message   string  `json:"message"`
}

func loadExamples(t testing.TB) examples {
	t.Helper()
	b, err := os.ReadFile("testdata/worked-examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var e examples
	unmarshal(t, b, &e)
	return e
}

func (x *example) network(t testing.TB, chain Chain) Network {
	t.Helper()
	n, err := ParseNetwork(chain.String() + "-" + x.Network)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestExamplesAreTheSharedOnes(t *testing.T) {
	shared := vectors[jsontext.Value](t, "worked-examples.json")
	ours, err := os.ReadFile("testdata/worked-examples.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(shared)), strings.TrimSpace(string(ours))); diff != "" {
		t.Errorf("testdata/worked-examples.json differs from the shared copy (-shared +ours):\n%s", diff)
	}
}

// recompose builds the transaction again from what was decoded.
func recompose(t testing.TB, tx *Transaction) Transaction {
	t.Helper()
	again, err := Compose(Header{
		Network: tx.Network(), Version: tx.Version(), Signer: tx.Signer(),
		Timestamp: tx.Timestamp(), Fee: tx.Fee(), Deadline: tx.Deadline(),
	}, tx.Body())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func TestNIS1Examples(t *testing.T) {
	for _, x := range loadExamples(t).NIS1 {
		t.Run(x.Name, func(t *testing.T) {
			n, data := x.network(t, NIS1), unhex(t, x.Data)
			tx, err := Decode(n, data)
			if err != nil {
				t.Fatal(err)
			}
			again := recompose(t, &tx)
			if got := again.Encode(); !bytes.Equal(got, data) {
				t.Errorf("fields encode to %X, want %X", got, data)
			}
			checkExampleFields(t, &tx, x.Fields)

			seed := must(ParsePrivateKeyText(NIS1, x.PrivateKey))
			pub := NIS1PublicKey(&seed)
			sig, err := SignNIS1(&seed, pub, must(SigningBytes(n, data)))
			if err != nil || sig.String() != x.Signature || pub != tx.Signer() {
				t.Errorf("signature of %s is %s, %v, want %s of %s", pub, sig, err, x.Signature, tx.Signer())
			}
			if err := VerifyTransaction(n, data, sig); err != nil {
				t.Error(err)
			}
			if hash, err := HashOf(n, data, sig); err != nil || hash.String() != x.Hash {
				t.Errorf("hash is %s, %v, want %s", hash, err, x.Hash)
			}
			if body, ok := tx.Body().(MultisigBody); ok != (x.InnerHash != "") || ok && body.InnerHash().String() != x.InnerHash {
				t.Errorf("inner hash of %T is not %s", tx.Body(), x.InnerHash)
			}
			a, err := Announce(n, data, sig)
			want := Announcement{"POST", "/transaction/announce",
				`{"data":"` + strings.ToLower(x.Data) + `","signature":"` + strings.ToLower(x.Signature) + `"}`}
			if err != nil || a != want {
				t.Errorf("announcement is %v, %v, want %v", a, err, want)
			}
		})
	}
}

func TestSymbolExamples(t *testing.T) {
	for _, x := range loadExamples(t).Symbol {
		t.Run(x.Name, func(t *testing.T) {
			if x.Binary != "" {
				checkDetachedCosignature(t, &x)
				return
			}
			n, payload := x.network(t, Symbol), unhex(t, x.Payload)
			tx, err := Decode(n, payload)
			if err != nil {
				t.Fatal(err)
			}
			sig := must(ParseSignature(x.Signature))
			again := recompose(t, &tx)
			if got := must(Attach(n, again.Encode(), sig)); !bytes.Equal(got, payload) {
				t.Errorf("fields encode to %X, want %X", got, payload)
			}
			if x.Fee != tx.Fee().String() || x.Size != len(payload) || tx.Signature() != sig {
				t.Errorf("fee %s, size %d, signature %s, want %s, %d, %s", tx.Fee(), len(payload), tx.Signature(), x.Fee, x.Size, sig)
			}
			signed, err := SigningBytes(n, payload)
			if err != nil || upperHex(signed) != x.SignedData {
				t.Errorf("signing bytes are %X, %v, want %s", signed, err, x.SignedData)
			}
			seed := must(ParsePrivateKeyText(Symbol, x.PrivateKey))
			if got := symbolSign(&seed, signed); got != sig || symbolPublicKey(&seed) != tx.Signer() {
				t.Errorf("signature is %s, want %s", got, sig)
			}
			if err := VerifyTransaction(n, payload, sig); err != nil {
				t.Error(err)
			}
			if hash, err := HashOf(n, payload, sig); err != nil || hash.String() != x.Hash {
				t.Errorf("hash is %s, %v, want %s", hash, err, x.Hash)
			}
			path := "/transactions"
			if strings.HasPrefix(x.Kind, "aggregate bonded") {
				path = "/transactions/partial"
			}
			want := Announcement{"PUT", path, `{"payload":"` + x.Payload + `"}`}
			if a, err := Announce(n, payload, sig); err != nil || a != want {
				t.Errorf("announcement is %v, %v, want %v", a, err, want)
			}
		})
	}
}

func checkDetachedCosignature(t *testing.T, x *example) {
	t.Helper()
	c, err := DecodeDetachedCosignature(unhex(t, x.Binary))
	if err != nil {
		t.Fatal(err)
	}
	seed := must(ParsePrivateKeyText(Symbol, x.PrivateKey))
	if symbolSign(&seed, c.Parent[:]) != c.Signature || symbolPublicKey(&seed) != c.Signer || c.Parent.String() != x.Hash {
		t.Errorf("cosignature is %+v", c)
	}
	if err := c.Verify(); err != nil {
		t.Error(err)
	}
	if upperHex(c.Encode()) != x.Binary {
		t.Errorf("encodes to %X, want %s", c.Encode(), x.Binary)
	}
	var got, want map[string]string
	unmarshal(t, []byte(c.Announce().Body), &got)
	unmarshal(t, x.Announce, &want)
	if diff := cmp.Diff(want, got); diff != "" || c.Announce().Method != "PUT" || c.Announce().Path != "/transactions/cosignature" {
		t.Errorf("announcement is %v (-want +got):\n%s", c.Announce(), diff)
	}
	c.Parent[0] ^= 1
	if c.Verify() == nil {
		t.Error("it verifies over another parent")
	}
}

func checkExampleFields(t *testing.T, tx *Transaction, raw jsontext.Value) {
	t.Helper()
	var f exampleFields
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	for _, number := range []struct {
		name string
		got  uint64
		want *uint64
	}{
		{"timestamp", tx.Timestamp(), f.Timestamp}, {"deadline", tx.Deadline(), f.Deadline}, {"fee", uint64(tx.Fee()), f.Fee},
	} {
		if number.want != nil && number.got != *number.want {
			t.Errorf("%s is %d, want %d", number.name, number.got, *number.want)
		}
	}
	body, ok := tx.TransferBody()
	if !ok {
		return
	}
	if body.Recipient.String() != f.Recipient || body.Message.Text() != f.Message {
		t.Errorf("recipient %s, message %q, want %s, %q", body.Recipient, body.Message.Text(), f.Recipient, f.Message)
	}
	if f.Amount != nil && uint64(body.Amount) != *f.Amount {
		t.Errorf("amount is %d, want %d", body.Amount, *f.Amount)
	}
}
