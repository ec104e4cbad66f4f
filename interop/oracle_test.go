package interop

import (
	"bufio"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/nem"
)

// shortCampaign is how many transactions per chain the short form exchanges.
const shortCampaign = 300

// batch is how many requests go to the oracle in one line.
const batch = 50

// campaign returns how many transactions to exchange, and their randomness.
func campaign(t *testing.T) (int, *rand.Rand) {
	t.Helper()
	n, seed := shortCampaign, uint64(1)
	for name, into := range map[string]func(uint64){
		"KURA_INTEROP":      func(v uint64) { n = int(v) },
		"KURA_INTEROP_SEED": func(v uint64) { seed = v },
	} {
		if text := os.Getenv(name); text != "" {
			v, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				t.Fatalf("%s is %q, want a number", name, text)
			}
			into(v)
		}
	}
	t.Logf("%d transactions, seed %d", n, seed)
	return n, rand.New(rand.NewPCG(seed, uint64(len(t.Name()))))
}

// oracle is the running SDKs.
type oracle struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// startOracle runs oracle.mjs for the length of the test.
func startOracle(t *testing.T) *oracle {
	t.Helper()
	missing := func(what string) {
		t.Helper()
		if os.Getenv("KURA_INTEROP") != "" {
			t.Fatalf("%s: Node 20 or later and `npm ci` in interop/ are needed", what)
		}
		t.Skipf("%s: interoperability is not tested; `make interop` installs what it needs", what)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not here")
	}
	for _, sdk := range []string{"node_modules/symbol-sdk", "node_modules/nem-sdk"} {
		if _, err := os.Stat(sdk); err != nil {
			missing(sdk + " is not here")
		}
	}
	cmd := exec.Command(node, "oracle.mjs")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("oracle: %v", err)
		}
	})
	return &oracle{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

// request is one thing to do; see oracle.mjs for what each action reads.
type request struct {
	Action      string           `json:"action"`
	Network     string           `json:"network,omitempty"` // mainnet or testnet
	Fields      *fields          `json:"fields,omitempty"`
	PrivateKey  string           `json:"privateKey,omitempty"`
	Cosigners   []string         `json:"cosigners,omitempty"` // private keys
	Expected    int              `json:"expected,omitempty"`  // cosignatures to come
	Registry    map[string]asset `json:"registry,omitzero"`
	Sign        bool             `json:"sign,omitempty"`
	Data        string           `json:"data,omitempty"`
	Signature   string           `json:"signature,omitempty"`
	PublicKey   string           `json:"publicKey,omitempty"`
	Recipient   string           `json:"recipient,omitempty"`
	XEM         uint64           `json:"xem,omitempty"`
	MessageSize int              `json:"messageSize,omitempty"`
}

// fields is a transaction as both sides are told it.
type fields struct {
	Kind        string   `json:"kind"`
	Version     uint8    `json:"version"`
	NetworkByte uint8    `json:"networkByte"`
	Signer      string   `json:"signer"`
	Timestamp   uint64   `json:"timestamp"`
	Deadline    uint64   `json:"deadline,string"`
	Fee         string   `json:"fee"`
	Recipient   string   `json:"recipient,omitempty"`
	Amount      string   `json:"amount,omitempty"`
	Message     *message `json:"message,omitempty"`
	Encrypted   bool     `json:"encrypted,omitempty"`
	Mosaics     []mosaic `json:"mosaics,omitzero"`
	Changes     []change `json:"changes,omitzero"`
	Relative    int32    `json:"relative"`
	Hash        string   `json:"hash,omitempty"`
	Duration    uint64   `json:"duration,omitempty"`
	Inner       *fields  `json:"inner,omitempty"`
	Embedded    bool     `json:"embedded,omitempty"`
	Embeds      []fields `json:"embeds,omitempty"`
}

type message struct {
	Hex string `json:"hex"`
}

type mosaic struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	ID        string `json:"id,omitempty"`
	Amount    string `json:"amount"`
}

type change struct {
	Change string `json:"change"`
	Key    string `json:"key"`
}

type asset struct {
	Supply       string `json:"supply"`
	Divisibility uint8  `json:"divisibility"`
}

// answer is the union of what the actions answer.
type answer struct {
	Error     string `json:"error"`
	Data      string `json:"data"`
	Signature string `json:"signature"`
	Hash      string `json:"hash"`
	Fee       string `json:"fee"`
	Valid     bool   `json:"valid"`
	Root      string `json:"root"`
	NIS1      string `json:"nis1"`
	Symbol    string `json:"symbol"`
}

// ask sends requests in batches and returns as many answers.
func (o *oracle) ask(t *testing.T, requests []request) []answer {
	t.Helper()
	var all []answer
	for len(requests) > 0 {
		n := min(batch, len(requests))
		line, err := json.Marshal(requests[:n])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.in.Write(append(line, '\n')); err != nil {
			t.Fatalf("oracle: %v", err)
		}
		reply, err := o.out.ReadBytes('\n')
		if err != nil {
			t.Fatalf("oracle: %v", err)
		}
		var answers []answer
		if err := json.Unmarshal(reply, &answers); err != nil || len(answers) != n {
			t.Fatalf("oracle: %d answers to %d requests, %v", len(answers), n, err)
		}
		all, requests = append(all, answers...), requests[n:]
	}
	return all
}

// one asks one thing.
func (o *oracle) one(t *testing.T, r request) answer {
	t.Helper()
	return o.ask(t, []request{r})[0]
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// account is a random key of one chain, with the text that tools read.
type account struct {
	seed [32]byte
	text string
	pub  nem.PublicKey
}
