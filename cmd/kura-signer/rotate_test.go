package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/signer/token"
)

// TestRotateSealing changes the sealing key, from the beginning and from every place where a run before it may have ended.
func TestRotateSealing(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	rotate := []string{"token", "rotate-sealing", "--config", x.config, "--present", "alice"}
	if _, stderr, code := x.run(rotate...); code != exitBusy {
		t.Errorf("beside a running signer: exit %d\n%s", code, stderr)
	}
	x.stop()
	blob := filepath.Join(x.dir, "state", "wallets")
	for i, begun := range []func(*ceremony){
		func(*ceremony) {},
		func(c *ceremony) { x.rotateTo(c, false) }, // the blobs are new, the journal does not know
		func(c *ceremony) { x.rotateTo(c, true) },  // the journal knows, the old key is still there
	} {
		before, keys := x.files(blob), x.sealingKeys()
		x.ceremony(begun)
		out := x.must(rotate...)
		if after := x.files(blob); slices.Equal(before, after) {
			t.Errorf("%d: the blobs are the old ones", i)
		}
		now := x.sealingKeys()
		if len(keys) != 1 || len(now) != 1 || now[0] == keys[0] || !strings.Contains(out, "destroyed    "+keys[0]) {
			t.Errorf("%d: sealing keys %v, then %v\n%s", i, keys, now, out)
		}
		if got := strings.Count(string(x.export(t).bytes), `"kind":"`+ledger.KindSealing+`"`); got != i+1 {
			t.Errorf("%d: %d entries say so, want %d", i, got, i+1)
		}
	}
	x.start("")
	if a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small)); a.State != rpc.StateSigned {
		t.Errorf("after it: %s %+v", a.State, a.Decision)
	}
}

// rotateTo does the first steps of a rotation.
func (x *installation) rotateTo(c *ceremony, journalled bool) {
	x.TB.Helper()
	rotation, err := c.token.RotateSealingKey(x.TB.Context())
	if err == nil && journalled {
		err = c.record(x.TB.Context(), func(s *ledger.State) []ledger.Input { return sealingInputs(s, rotation, []string{"alice"}) })
	}
	if err != nil {
		x.TB.Fatal(err)
	}
}

// ceremony does something in this process that a command would do.
func (x *installation) ceremony(do func(*ceremony)) {
	x.TB.Helper()
	opened, err := (&invocation{stderr: x.TB.Output()}).begin(x.TB.Context(), x.config)
	if err != nil {
		x.TB.Fatal(err)
	}
	do(opened)
	if err := opened.end(); err != nil {
		x.TB.Fatal(err)
	}
}

func (x *installation) sealingKeys() (ids []string) {
	x.TB.Helper()
	x.ceremony(func(c *ceremony) {
		objects, err := c.token.List()
		if err != nil {
			x.TB.Fatal(err)
		}
		for _, o := range objects {
			if o.Kind == "sealing key" {
				ids = append(ids, o.ID)
			}
		}
	})
	return ids
}

// files is the content of every file of a directory.
func (x *installation) files(dir string) (contents []string) {
	x.TB.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		x.TB.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			x.TB.Fatal(err)
		}
		contents = append(contents, string(text))
	}
	return contents
}

// TestSealingOfUnknownWallets leaves out blobs that no ceremony is of.
func TestSealingOfUnknownWallets(t *testing.T) {
	rotation := token.SealingRotation{Old: []string{"a"}, New: "b", Blobs: map[string]string{"lost": "00"}}
	inputs := sealingInputs(ledger.NewState(), rotation, nil)
	if len(inputs) != 1 || len(inputs[0].(ledger.SealingInput).Sealing.Blobs) != 0 {
		t.Errorf("%+v", inputs)
	}
}

// TestRotateSealingOfSeveralSigners keeps the old key until every host has the new files.
func TestRotateSealingOfSeveralSigners(t *testing.T) {
	c := newCluster(t)
	first, second := c.nodes[0], c.nodes[1]
	c.startNode(first)
	c.waitLeader(t.Context(), nil)
	c.wallets = c.Equip(t.Context(), first.gateway, func(w rpc.NewWallet) (rpc.Ceremony, error) { return first.admin.CreateWallet(t.Context(), w) })
	c.shareWallets(first)
	rotate := func(n *node, more ...string) []string {
		return append([]string{"token", "rotate-sealing", "--config", n.config, "--present", "alice"}, more...)
	}
	before := c.files(filepath.Join(second.dir, "state", "wallets"))
	if _, stderr, code := c.run(rotate(second)...); code != exitBusy || !strings.Contains(stderr, "leads the journal") {
		t.Errorf("while another host's signer leads: exit %d\n%s", code, stderr)
	}
	if !slices.Equal(before, c.files(filepath.Join(second.dir, "state", "wallets"))) {
		t.Error("and it sealed anew all the same")
	}
	c.stopNode(first)
	c.untilFree(t)
	if out := c.must(rotate(first)...); strings.Contains(out, "destroyed") || !strings.Contains(out, "--copied") {
		t.Errorf("the first time:\n%s", out)
	}
	c.shareWallets(first)
	c.untilFree(t)
	if out := c.must(rotate(first, "--copied")...); !strings.Contains(out, "destroyed") {
		t.Errorf("the second time:\n%s", out)
	}
	c.startNode(second)
	c.waitLeader(t.Context(), first)
	if a := c.Submit(t.Context(), second.gateway, "shop", c.Withdrawal(c.wallets[signertest.XEM], signertest.Small)); a.State != rpc.StateSigned {
		t.Errorf("after it: %s %+v", a.State, a.Decision)
	}
}
