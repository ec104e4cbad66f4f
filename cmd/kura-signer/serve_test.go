package main

import (
	"path/filepath"
	"strings"
	"testing"

	"kura/signer/rpc"
	"kura/signer/signertest"
)

func TestServe(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	for _, name := range []string{signertest.XEM, signertest.XYM} {
		a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[name], signertest.Small))
		if a.State != rpc.StateSigned {
			t.Fatalf("%s: %+v", name, a)
		}
	}
	if out := x.must("wallet", "list", "--config", x.config); !strings.Contains(out, x.wallets[signertest.XEM].Address) {
		t.Errorf("wallet list:\n%s", out)
	}
	if _, stderr, code := x.run("init", "--config", x.config, "--policy", filepath.Join(x.dir, "policy.json"),
		"--verdicts", filepath.Join(x.dir, "verdicts"), "--policy-hash", x.First.Hash().String()); code != exitBusy {
		t.Errorf("init beside a running signer: exit %d, %s", code, stderr)
	}
	if _, stderr, code := x.run("serve", "--config", x.config); code != exitBusy {
		t.Errorf("a second signer: exit %d, %s", code, stderr)
	}
	out, _, code := x.run("doctor", "--config", x.config)
	if code != exitOK || !strings.Contains(out, "token_leaky") {
		t.Errorf("doctor beside the signer: exit %d\n%s", code, out)
	}
	if out := x.must("freeze", "--config", x.config, "--reason", "a test"); !strings.HasPrefix(out, "FROZEN") {
		t.Errorf("freeze: %s", out)
	}
	if a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small)); a.State != rpc.StateDenied {
		t.Errorf("under a freeze: %+v", a)
	}
	x.stop()
	out, _, code = x.run("doctor", "--config", x.config)
	if code != exitOK || !strings.Contains(out, "every signed head verify") {
		t.Errorf("doctor without a signer: exit %d\n%s", code, out)
	}
	if _, _, code := x.run("wallet", "list", "--config", x.config); code != exitAbsent {
		t.Errorf("wallet list without a signer: exit %d", code)
	}
}
