package nem

import (
	"strings"
	"testing"
)

func TestNIS1Answers(t *testing.T) {
	const hash = "679D3334720949CA1CB5EC79CBBFB1C5C90344EB2A8BECCA383847387E572357"
	body := func(code string) string {
		return `{"type":1,"code":` + code + `,"message":"M","transactionHash":{"data":"` + strings.ToLower(hash) + `"},"innerTransactionHash":{}}`
	}
	for _, c := range []struct {
		status  int
		body    string
		outcome string
		advice  string
		text    string
	}{
		{200, body("1"), "accepted", "look_up", "valid"},
		{200, body("0"), "seen", "look_up", "already known"},
		{200, body("3"), "refused", "never", "deadline has passed"},
		{200, body("5"), "refused", "later", "cannot pay"},
		{200, body("7"), "seen", "look_up", "36 hours"},
		{200, body("8"), "refused", "stop", "does not verify"},
		{200, body("17"), "refused", "never", "below the minimum"},
		{200, body("19"), "refused", "later", "pool is full"},
		{200, body("20"), "refused", "stop", "another network"},
		{200, body("64"), "refused", "stop", "importance"},
		{200, body("125"), "refused", "stop", "namespace"},
		{200, body("150"), "refused", "stop", "mosaic"},
		{200, body("999"), "refused", "stop", "not known here"},
		{200, body("-1"), "unknown", "stop", "no code"},
		{400, `{"error":"Bad Request"}`, "refused", "stop", "cannot read"},
		{503, ``, "unknown", "later", "busy"},
		{500, `<html>`, "unknown", "elsewhere", "not known"},
	} {
		a, err := ParseNIS1Answer(c.status, []byte(c.body))
		if err != nil || a.Outcome.String() != c.outcome || a.Advice.String() != c.advice || !strings.Contains(a.Text, c.text) {
			t.Errorf("%d %s: %+v, %v, want %s, %s, %q", c.status, c.body, a, err, c.outcome, c.advice, c.text)
		}
		if c.status == 200 && (a.Hash.String() != hash || a.Said != "M") {
			t.Errorf("hash is %s, the node said %q", a.Hash, a.Said)
		}
	}
	long := `{"error":"Bad Request","message":"` + strings.Repeat("é", 200) + `"}`
	if a, err := ParseNIS1Answer(400, []byte(long)); err != nil || a.Said != strings.Repeat("é", 100) {
		t.Errorf("%+v, %v", a, err)
	}
	for code := int64(2); code < 200; code++ {
		if m := nis1Meaning(code); m.text == "" || m.outcome == OutcomeAccepted || m.outcome == OutcomeUnknown {
			t.Errorf("code %d means %+v", code, m)
		}
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"code":"1"}`, `{"code":1.5}`, `{"code":1,"code":2}`, `{"code":1,"transactionHash":{"data":"zz"}}`, `{"code":1}x`, strings.Repeat(" ", 70_000)} {
		if a, err := ParseNIS1Answer(200, []byte(bad)); err == nil || a.Outcome == OutcomeAccepted {
			t.Errorf("%.40s is taken for %+v", bad, a)
		}
	}
}

func TestSymbolAnswers(t *testing.T) {
	a, err := ParseSymbolAnswer(202, []byte(`{"message":"packet 9 was pushed to the network via /transactions"}`))
	if err != nil || a.Outcome != OutcomeUnknown || a.Advice != AdviceLookUp {
		t.Errorf("%+v, %v", a, err)
	}
	for _, bad := range []string{``, `{}`, `{"message":"no"}`} {
		if _, err := ParseSymbolAnswer(202, []byte(bad)); err == nil {
			t.Errorf("%q is taken for an answer", bad)
		}
	}
	if a, err := ParseSymbolAnswer(409, nil); err != nil || a.Outcome != OutcomeRefused {
		t.Errorf("%+v, %v", a, err)
	}
	status := func(group, code string) string {
		return `{"group":"` + group + `","code":"` + code + `","hash":"` + strings.Repeat("AB", 32) + `","deadline":"1","height":"0"}`
	}
	for _, c := range []struct {
		status  int
		body    string
		outcome string
		advice  string
		text    string
	}{
		{200, status("confirmed", "Success"), "accepted", "look_up", "confirmed"},
		{200, status("unconfirmed", "Success"), "accepted", "look_up", "unconfirmed"},
		{200, status("partial", "Success"), "accepted", "look_up", "cosignatures"},
		{200, status("failed", "Failure_Core_Past_Deadline"), "refused", "never", "deadline has passed"},
		{200, status("failed", "Failure_Core_Insufficient_Balance"), "refused", "later", "cannot pay"},
		{200, status("failed", "Failure_Hash_Already_Exists"), "seen", "look_up", "block has it"},
		{200, status("failed", "Failure_New_Thing"), "refused", "stop", "not known here"},
		{200, status("failed", "Odd"), "unknown", "look_up", "not known here"},
		{404, ``, "unknown", "later", "knows nothing"},
		{500, ``, "unknown", "elsewhere", "not known"},
	} {
		a, err := ParseSymbolStatus(c.status, []byte(c.body))
		if err != nil || a.Outcome.String() != c.outcome || a.Advice.String() != c.advice || !strings.Contains(a.Text, c.text) {
			t.Errorf("%d %s: %+v, %v, want %s, %s, %q", c.status, c.body, a, err, c.outcome, c.advice, c.text)
		}
	}
	for _, bad := range []string{``, `{}`, status("odd", "Success"), `{"group":"failed","hash":"x"}`} {
		if _, err := ParseSymbolStatus(200, []byte(bad)); err == nil {
			t.Errorf("%q is taken for a status", bad)
		}
	}
}
