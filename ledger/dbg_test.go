package ledger_test
import ("testing";"kura/ledger/ledgertest";"kura/policy")
func TestDbg(t *testing.T){
	w := ledgertest.New(t)
	for _, x := range w.Wallets {
	_, r := policy.Transfer(w.State.PolicyInForce(), w.Withdrawal(x, 5))
	t.Log(r)
	t.Log(w.Submit("shop", w.Withdrawal(x, ledgertest.Small)))
	}
	for _, l := range w.Lines { t.Logf("%.300s", l) }
}
