package statement_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"kura/statement"
)

func TestIDsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		born := rapid.Int64Range(0, 1<<48-1).Draw(t, "born")
		random := [10]byte(rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "random"))
		id := statement.NewID(born, random)
		if id.Born() != born || id.IsZero() {
			t.Fatalf("%s was born %d, want %d", id, id.Born(), born)
		}
		back, err := statement.ParseID(id.String())
		if err != nil || back != id {
			t.Fatalf("%s came back as %s: %v", id, back, err)
		}
		if _, err := statement.ParseID(strings.ToUpper(id.String())); err == nil && strings.ContainsAny(id.String(), "abcdef") {
			t.Fatalf("%s is taken in upper case", id)
		}
	})
}

func TestIDsKeepTheirRandomBits(t *testing.T) {
	zeros := statement.NewID(0x0123456789ab, [10]byte{})
	ones := statement.NewID(0x0123456789ab, [10]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	if zeros.String() != "01234567-89ab-7000-8000-000000000000" || ones.String() != "01234567-89ab-7fff-bfff-ffffffffffff" {
		t.Errorf("got %s and %s", zeros, ones)
	}
}

func TestIDsHaveTheirHyphens(t *testing.T) {
	text := statement.NewID(born, [10]byte{}).String()
	for _, i := range []int{8, 13, 18, 23} {
		for _, instead := range []string{"0", " ", "_"} {
			if id, err := statement.ParseID(text[:i] + instead + text[i+1:]); err == nil {
				t.Errorf("%q at %d is read as %s", instead, i, id)
			}
		}
	}
}

func TestTimesOutsideAnIDGiveNone(t *testing.T) {
	for _, born := range []int64{-1, 1 << 48, -1 << 63, 1<<63 - 1} {
		if id := statement.NewID(born, [10]byte{1}); !id.IsZero() {
			t.Errorf("born %d: %s", born, id)
		}
	}
	if _, err := statement.ParseID(statement.ID{}.String()); err == nil {
		t.Error("the zero id is read")
	}
}

func TestHashesAndIDsInJSON(t *testing.T) {
	type record struct {
		ID   statement.ID   `json:"id"`
		Hash statement.Hash `json:"hash"`
	}
	want := record{statement.NewID(born, [10]byte{1, 2, 3}), statement.HashText("x")}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != `{"id":"`+want.ID.String()+`","hash":"`+want.Hash.String()+`"}` {
		t.Errorf("written as %s", text)
	}
	var got record
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("read as %v: %v", got, err)
	}
	if err := json.Unmarshal([]byte(strings.ToUpper(string(text))), &got, json.MatchCaseInsensitiveNames(true)); err == nil {
		t.Error("upper-case digits are read")
	}
}
