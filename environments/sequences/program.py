"""Program: a sequence that a short program writes."""

import operator
from typing import Any

import gymnasium
import numpy as np

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv, "%": operator.mod}


class Program(gymnasium.Env[np.int64, np.int64]):
    """A short program writes a sequence, and the agent says which symbol comes next.

    ## Description
    Solomonoff's (1964) question: the sequence looks like luck, or obeys many rules at once, until its program is
    found. The program computes each symbol from the ones before it, by a stack of whole numbers and an
    instruction a character:

    * `0` to `9` push that number, and `n` how many symbols there are so far;
    * `@` takes k from the stack and pushes the symbol k places back, `1@` the last one; k is from 1 to n;
    * `+`, `-`, `*`, `/`, `%` take two numbers and push their sum, difference, product, quotient rounded down,
      or remainder; the number on top is the right one.

    What is on top in the end is the next symbol, modulo `symbols`. Some programs:

    * `1@1+` counts; `1@2@+` is Fibonacci's sequence, and a shift register if there are two symbols;
    * `nn2/-@n+` with two symbols: number n is number n / 2 plus n, the sequence of Thue (1912) and Morse (1921);
    * `8@7@+6@+7@6@*+` with two symbols: left + right + middle + right * middle modulo 2, rule 30 of Wolfram (1983)
      on a ring of seven cells wound up to a spiral.

    ## Action Space
    `Discrete(symbols)`: the symbol that the agent expects.

    ## Observation Space
    `Discrete(symbols)`: the symbol that came.

    ## Starting State
    The sequence begins; the first observation is its first symbol.

    ## Rewards
    1 if the symbol that comes is the one expected, else 0.

    ## Episode End
    Never. After `length` symbols the sequence begins anew.

    ## Arguments
    `program`: as above; one that takes from an empty stack, looks too far back or divides by 0 raises IndexError or
    ZeroDivisionError. `start`: the first symbols, a digit each, at least one. `symbols`: from 2 to 10.
    `length`: at least 1. By default Fibonacci's sequence modulo 10, whose last digits repeat after 60.

    ## Version History
    v0: first version.

    Example:
        >>> env = Program()
        >>> first, _ = env.reset(seed=0)
        >>> [int(first), *(int(env.step(np.int64(0))[0]) for _ in range(11))]
        [0, 1, 1, 2, 3, 5, 8, 3, 1, 4, 5, 9]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self,
        program: str = "1@2@+",
        start: str = "01",
        symbols: int = 10,
        length: int = 60,
        render_mode: str | None = None,
    ) -> None:
        if set(program) - set("0123456789n@+-*/%"):
            raise ValueError(f"program must be made of 0 to 9, n, @, +, -, *, / and %, got {program!r}")
        if not 2 <= symbols <= 10:
            raise ValueError(f"symbols must be from 2 to 10, got {symbols}")
        if not start or set(start) - set("0123456789"[:symbols]):
            raise ValueError(f"start must be at least one digit from 0 to {symbols - 1}, got {start!r}")
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        sequence = [int(symbol) for symbol in start]
        while len(sequence) < length:
            sequence.append(self._result(program, sequence) % symbols)
        self.sequence = tuple(sequence[:length])
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(symbols)
        self.action_space = gymnasium.spaces.Discrete(symbols)
        self.position = 0

    def _result(self, program: str, sequence: list[int]) -> int:
        stack: list[int] = []
        for instruction in program:
            if instruction == "n":
                stack.append(len(sequence))
            elif instruction == "@":
                back = stack.pop()
                if not 1 <= back <= len(sequence):
                    raise IndexError(f"program looks {back} places back from symbol {len(sequence)}")
                stack.append(sequence[-back])
            elif instruction in OPERATORS:
                right = stack.pop()
                stack.append(OPERATORS[instruction](stack.pop(), right))
            else:
                stack.append(int(instruction))
        return stack.pop()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.position = 0
        return np.int64(self.sequence[0]), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        self.position = (self.position + 1) % len(self.sequence)
        symbol = self.sequence[self.position]
        return np.int64(symbol), float(action == symbol), False, False, {}

    def render(self) -> Any:
        return "".join(map(str, self.sequence[: self.position + 1])) + "?"
