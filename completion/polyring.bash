# SPDX-License-Identifier: MIT
# Completion for bash. The verbs and options are those that the command's own
# help names; behind them stands a program with its arguments.

_polyring_verbs()
{
	"$1" --help 2>/dev/null | sed -n '/^verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_polyring_options()
{
	"$1" help "$2" 2>/dev/null | grep -oE -- '^ +(-[a-z], )?--[a-z-]+' |
		grep -oE -- '--[a-z-]+'
}

_polyring()
{
	local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} at
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ] || { [ "$verb" = help ] &&
		[ "$COMP_CWORD" -eq 2 ]; }; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_polyring_verbs "$1")" -- "$word")
		return
	fi
	case $verb in help) return ;; esac
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | --counters | -o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	esac
	# A program has begun, or begins here.
	for ((at = 2; at < COMP_CWORD; at++)); do
		case ${COMP_WORDS[at]} in
		--) at=$((at + 1)); break ;;
		-c | --counters | -o | --output | -k | --kernel | -e | -p)
			at=$((at + 1)) ;;
		-*) ;;
		*) break ;;
		esac
	done
	if [ "$at" -lt "$COMP_CWORD" ] ||
		[ "${COMP_WORDS[COMP_CWORD - 1]}" = -- ]; then
		if declare -F _command_offset >/dev/null; then
			_command_offset "$at"
			return
		fi
		mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
		return
	fi
	case $word in
	-*) mapfile -t COMPREPLY < <(compgen -W \
		"$(_polyring_options "$1" "$verb")" -- "$word") ;;
	*) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
	esac
}

complete -F _polyring polyring
