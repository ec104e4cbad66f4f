package migrations_test

import (
	"testing"

	"kura/migrations"
)

func TestAll(t *testing.T) {
	all, err := migrations.All()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d migrations, %v", len(all), err)
	}
	for i, m := range all {
		if m.Number != i+1 || m.SQL == "" {
			t.Errorf("migration %d is number %d (%s) with %d bytes", i+1, m.Number, m.Name, len(m.SQL))
		}
	}
}
