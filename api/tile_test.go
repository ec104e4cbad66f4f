package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"kura/api"
	"kura/api/apitest"
	"kura/signer/signertest"
	"kura/statement"
)

// stockReader reads tiles over HTTP for tlog's own client, which checks every one of them against the tree's head. It
// is in the other form of paths that tlog was made for, which names the height.
type stockReader struct {
	t   *testing.T
	url string
	c   *http.Client
}

func (r stockReader) Height() int { return 8 }

func (r stockReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r stockReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		content, err := r.get("/"+strings.Replace(tile.Path(), "tile/8/", "tile/", 1), "")
		if err != nil {
			return nil, err
		}
		all = append(all, content)
	}
	return all, nil
}

// get reads one resource, with a session's secret if it has one.
func (r stockReader) get(path, secret string) ([]byte, error) {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		return nil, err
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := r.c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %.200s", path, resp.StatusCode, body)
	}
	return body, err
}

// TestStockClientsReadTheLog opens the checkpoint with the stock note package, and proves entries with the stock tile
// client, from a real signer behind a real gateway: nothing of Kura's own but the key that is pinned.
func TestStockClientsReadTheLog(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	g := apitest.StartBefore(t, d.Signer, apitest.Options{})
	reader := stockReader{t, g.URL, clientOf(t, g)}
	for size := uint64(0); size < 300; {
		size = d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], 1)).Seq
	}
	alice, shop, watch := login(t, g, d, "alice"), login(t, g, d, "shop"), login(t, g, d, "watch")

	vkey, err := d.Genesis.VerifierKey()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	text, err := reader.get("/checkpoint", "")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		t.Fatalf("the stock note package refuses the checkpoint: %v\n%s", err, text)
	}
	tree, err := tlog.ParseTree([]byte(strings.Replace(signed.Text, d.Genesis.Origin+"\n", "go.sum database tree\n", 1)))
	if err != nil {
		t.Fatal(err)
	}

	hashes := tlog.TileHashReader(tree, reader)
	for _, index := range []int64{0, 255, 256, tree.N - 1} {
		bundle := fmt.Sprintf("/tile/entries/%03d", index/256)
		if width := tree.N - index/256*256; width < 256 {
			bundle += fmt.Sprintf(".p/%d", width)
		}
		content, err := reader.get(bundle, alice)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := split(content)
		if err != nil || int64(len(entries)) != min(256, tree.N-index/256*256) {
			t.Fatalf("%s: %d entries, %v", bundle, len(entries), err)
		}
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entries[index%256])); err != nil {
			t.Errorf("entry %d: %v", index, err)
		}
	}

	for _, c := range []struct {
		name, path, secret string
		status             int
		code               string
	}{
		{"nobody", "/tile/entries/000", "", 401, api.CodeNoSession},
		{"a secret of no session", "/tile/entries/000", strings.Repeat("ab", 32), 401, api.CodeNoSession},
		{"a client", "/tile/entries/000", shop, 403, "forbidden"},
		{"a client, about nothing", "/tile/entries/x001/000", shop, 403, "forbidden"},
		{"a sentinel", "/tile/entries/000", watch, 403, "forbidden"},
		{"past the head", "/tile/entries/x001/000", alice, 404, "not_found"},
		{"more than there is", "/tile/entries/001", alice, 404, "not_found"},
		{"hashes past the head", "/tile/0/001", "", 404, "not_found"},
		{"a level that is not there", "/tile/2/000", "", 404, "not_found"},
		{"the word in other letters", "/tile/%65ntries/000", alice, 400, api.CodeBadParameter},
	} {
		var header []string
		if c.secret != "" {
			header = []string{"Authorization", "Bearer " + c.secret}
		}
		r := send(t, g, http.MethodGet, c.path, "", header...)
		if p := r.problem(t); r.status != c.status || p.Code != c.code {
			t.Errorf("%s: status %d, code %s, want %d, %s", c.name, r.status, p.Code, c.status, c.code)
		}
	}
}

// TestEntryBundleProblems: a fault of the signer shows nothing of its inside, and had no effect.
func TestEntryBundleProblems(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Gate = func(_ context.Context, method string) error {
		if method == "bundle" {
			return errors.New("secret path /root/pin")
		}
		return nil
	}
	if r := admitted(t, g, "/tile/entries/000.p/1"); r.status != 500 || strings.Contains(string(r.body), "/root/pin") || r.problem(t).Effect != "none" {
		t.Errorf("status %d: %s", r.status, r.body)
	}
}

// login opens a session over REST and returns its secret.
func login(t *testing.T, g *apitest.Gateway, d *signertest.Deployment, who string) string {
	t.Helper()
	secret := sha256.Sum256([]byte(who))
	env := d.Sign(who, &statement.Login{Journal: d.Journal, ID: d.ID(), Expires: d.Now() + 5*signertest.Minute, SecretHash: statement.HashText(string(secret[:]))})
	if r := post(t, g, "/v1/sessions", env); r.status != http.StatusCreated {
		t.Fatalf("%s's login: %d %s", who, r.status, r.body)
	}
	return hex.EncodeToString(secret[:])
}

// split takes a bundle apart as C2SP tlog-tiles describes it.
func split(bundle []byte) (entries [][]byte, err error) {
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
			return nil, errors.New("the bundle ends early")
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		entries, bundle = append(entries, bundle[2:end]), bundle[end:]
	}
	return entries, nil
}
