#!/usr/bin/env bash
# Compares the gateway with others, in one run on one machine, on loopback: bench/run.sh cold|latency|leak
#   BENCH   a copy of the comparison (fake upstream, fake Runtime API, other gateways), built with `make`, with the other gateways installed
#   PYTHON  a Python 3.13 for cold starts; SERVER a Python with the runtime's packages, uvicorn, uvloop and httptools
# The other gateways' Python needs sniffio, because httpx is slower without it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(dirname "$here")
: "${BENCH:?a copy of the comparison}" "${PYTHON:=python3.13}" "${SERVER:=$PYTHON}"
key=sk-sluice-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
cd "$BENCH"
case ${1:?cold, latency or leak} in
cold)
	cp "$here"/dynamodb/*.json ddb/
	package=$(mktemp -d)
	(cd "$root" && exec .venv/bin/python -m bench.tables 9101) & tables=$!
	trap 'kill $tables; rm -rf "$package"' EXIT
	"$root/.venv/bin/python" "$root/scripts/package.py" --python 3.13 --machine "$(uname -m)" --out "$package"
	python3 coldstart.py compare --rounds "${ROUNDS:-9}" --only naive,naive_boto "${@:2}" \
		--ours "name=sluice,task_root=$package,bootstrap=$PYTHON -m handler.runtime.loop,key=$key,model=up/fake" \
		--ours-env AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:9101 --ours-env UP_API_KEY=sk-upstream \
		--ours-env SLUICE_PRIVATE_UPSTREAMS=1 --ours-env PYTHONPATH="$package"
	;;
latency | leak)
	[ "$1" = leak ] && what="leak --leak-n 10000" || what=${SCENARIOS:-c1,c16,stream,burst,big}
	./fake_upstream -q -p 9109 -m 1800 --ddb-dir "$here/dynamodb" & tables=$!
	trap 'kill $tables' EXIT
	# shellcheck disable=SC2086
	python3 compare.py --gateways direct,naive --rounds "${ROUNDS:-3}" --seconds 5 --scenarios $what "${@:2}" \
		--ours-cmd "$SERVER -m uvicorn bench.app:app --port 9199 --log-level warning --no-access-log --loop uvloop --http httptools" \
		--ours-cwd "$root" --ours-url http://127.0.0.1:9199/v1 --ours-key $key --ours-model up/fake \
		--ours-env AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:9109 --ours-env UP_API_KEY=sk-upstream \
		--ours-env SLUICE_PRIVATE_UPSTREAMS=1 --ours-env AWS_REGION=us-east-1
	;;
esac
