#!/usr/bin/env bash
# Two participants in plain Python, one coordinator, and curl as the initiator. Needs python3 and curl; run `npm run build` first.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PWD/node_modules/.bin:$PATH"
work=$(mktemp -d)
port=${PORT:-4610}
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT

python3 examples/02-any-language/stock.py $((port + 1)) "$work/stock.db" &
python3 examples/02-any-language/stock.py $((port + 2)) "$work/reserve.db" &
lockstep serve --port "$port" --store "sqlite:$work/lockstep.db" >"$work/lockstep.log" 2>&1 &
coordinator=$!
for _ in $(seq 100); do
  # A port that is taken would let somebody else's coordinator answer.
  kill -0 "$coordinator" 2>/dev/null || { cat "$work/lockstep.log"; exit 1; }
  grep -q listening "$work/lockstep.log" && break
  sleep 0.1
done

order() { # id, quantity
  curl -s "http://127.0.0.1:$port/v1/transactions" -H 'content-type: application/json' -d '{
    "id": "'"$1"'", "pattern": "saga", "wait": 5000, "input": { "sku": "apple", "quantity": '"$2"' },
    "steps": [
      { "name": "stock",   "action": "http://127.0.0.1:'$((port + 1))'/take", "compensate": "http://127.0.0.1:'$((port + 1))'/return" },
      { "name": "reserve", "action": "http://127.0.0.1:'$((port + 2))'/take", "compensate": "http://127.0.0.1:'$((port + 2))'/return" }
    ] }'
  echo
}

echo "An order of 4 commits in both stocks:"
order order-1 4
echo "The same order again is the same transaction, and takes nothing a second time:"
order order-1 4
echo "An order of 7 is refused, since 6 are left, and rolled back:"
order order-2 7
echo "What is left:"
python3 -c "import sqlite3, sys
for path in sys.argv[1:]: print(path.split('/')[-1], sqlite3.connect(path).execute('select quantity from stock').fetchone()[0])" "$work/stock.db" "$work/reserve.db"
