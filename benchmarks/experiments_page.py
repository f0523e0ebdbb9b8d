"""Writes `docs/experiments.md` and its figures from the raw results: every number there comes from a file in
`benchmarks/results/`, which `aixi experiment` made.

    for name in attention recall scaling compute pretraining countdown; do aixi experiment $name --out DIR; done
    python benchmarks/experiments_page.py [--from DIR]

With --from, results are first taken from there: DIR/NAME.json becomes benchmarks/results/experiment-NAME.json.
"""

import argparse
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from results_page import origin, table

from aixi.evaluation.experiments.frame import EXPERIMENTS, Estimate

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs"


def interval(found: Estimate, digits: int) -> str:
    """Returns a mean and its 95 % interval."""
    mean = f"{found.mean:.{digits}f}"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def ends(low_high: tuple[float, float] | None, digits: int = 2) -> str:
    return "held" if low_high is None else f"{low_high[0]:.{digits}f} to {low_high[1]:.{digits}f}"


def filled(text: str) -> str:
    """Fills the lines of all paragraphs but tables."""
    parts = text.split("\n\n")
    return "\n\n".join(
        part if part.startswith("|") else textwrap.fill(part, 120, break_on_hyphens=False) for part in parts
    )


def bare(environment: str) -> str:
    return environment.removeprefix("aixi/").removesuffix("-v0")


def attention(result: Any) -> str:
    """Returns the section on kinds of attention."""
    from aixi.evaluation.experiments.attention import BATCH_CONTEXT, ROWS

    rows = [
        (
            row.variant,
            f"{row.parameters:,}",
            row.cache_bytes,
            interval(row.loss, 4),
            "–" if row.difference is None else interval(row.difference, 4),
            *(f"{speed.microseconds:.1f}" for speed in row.compiled),
            f"{1e6 / row.batched:,.0f}",
            "–" if row.absorbed is None else f"{1e6 / row.absorbed:,.0f}",
            f"{row.eager / row.compiled[1].microseconds:.0f}",
        )
        for row in result.rows
    ]
    contexts = [speed.context for speed in result.rows[0].compiled]
    head = (
        "attention|weights|cache, bytes a token|loss, bits a bit|less multi-head, paired|"
        + "|".join(f"compiled behind {context}, µs" for context in contexts)
        + f"|PyTorch, {ROWS} rows, tokens/s|absorbed, tokens/s|PyTorch, 1 row, over compiled"
    )
    plan = result.schedule
    multi, _, single, latent = result.rows
    network = result.networks[multi.variant]
    return f"""\
**What do attentions that cache less cost in loss, and save in time?** Multi-head, grouped-query, multi-query
and latent attention in a Transformer of {network.layers} layers and width {network.width}, trained alike:
{plan.steps} steps of {plan.batch} sequences of {plan.window} bits, each from a fresh variable-order Markov source of
depth {result.depth}; {len(result.seeds)} seeds. Times are CPU time of
one core, the least of {result.rounds} rounds in which every variant has its turn; PyTorch's are behind a cache of
{BATCH_CONTEXT} tokens.

![loss, cache and speed](experiments/attention.svg)

{table(head, rows)}

Multi-query attention keeps {single.cache_bytes / multi.cache_bytes:.0%} of the cache of multi-head attention at a loss
that these seeds do not tell apart, and behind {contexts[-1]:,} tokens takes \
{single.compiled[-1].microseconds / multi.compiled[-1].microseconds:.0%} of its time. Latent
attention of a cache of {latent.cache_bytes} bytes does worse on both here; it does more arithmetic, and saves
memory, of which there is enough. What this does not show: large networks, where the cache fills the
memory; or loss after long training – {plan.steps} steps are few, and latent attention may only learn more slowly."""


def recall(result: Any) -> str:
    """Returns the section on recall."""
    parts = []
    for task in dict.fromkeys(row.task for row in result.rows):
        own = [row for row in result.rows if row.task == task]
        distances = list(dict.fromkeys(row.distance for row in own))
        rows = [
            (
                name,
                f"{next(row.parameters for row in own if row.network == name):,}",
                *(interval(row.accuracy, 2) for row in own if row.network == name),
            )
            for name in result.networks
        ]
        marks = {row.distance: "" if row.trained else " *" for row in own}
        head = f"{task}|weights|" + "|".join(f"{distance}{marks[distance]}" for distance in distances)
        parts.append(table(head, rows))
    plan = result.schedule
    tables = "\n\n".join(parts)
    return f"""\
**Which networks still know what they read, the longer ago it was?** A string to copy, and pairs of a key and
a value to recall by key; the distance is the length of what is to be remembered, in tokens. Every network has about as
many weights between embedding and head, and {plan.steps} steps of {plan.batch} prompts of trained lengths alike;
{len(result.seeds)} seeds.

![accuracy against distance](experiments/recall.svg)

{tables}

Accuracy, 95 % interval over seeds; * is longer than anything in training.

{RECALL_SHOWS}"""


RECALL_SHOWS = """\
In associative recall the Transformer recalls most at every distance, on prompts longer than any it was trained on as
well, and the gated recurrent networks come down towards guessing; in copying they come down from further up, and
attention over the LSTM's states (the additive one) holds them up. The plain RNN learns neither task. But the
Transformer's copying is no general skill: it copies at the shortest and at the longest trained distance, hardly at the
one between, and not at all at longer ones. The encoder-decoder Transformer, whose attention across knows no positions,
learns little of either task in so few steps. What this does not show: networks that have finished learning, tuned
learning rates, or more than three seeds."""


def scaling(result: Any) -> str:
    """Returns the section on the scaling law."""
    lengths = list(dict.fromkeys(row.tokens for row in result.rows))
    sizes = list(dict.fromkeys(row.parameters for row in result.rows))
    rows = [
        (
            f"{parameters:,}",
            *(
                interval(
                    Estimate.of(
                        [row.loss for row in result.rows if (row.parameters, row.tokens) == (parameters, tokens)]
                    ),
                    4,
                )
                for tokens in lengths
            ),
        )
        for parameters in sizes
    ]
    fits = [
        (
            "held" if fit.fixed else "free",
            f"{fit.floor:.4f}",
            "–" if fit.floor_interval is None else ends(fit.floor_interval, 4),
            f"{fit.alpha:.2f}",
            ends(fit.alpha_interval),
            f"{fit.beta:.2f}",
            ends(fit.beta_interval),
            f"{fit.error:.1%}",
            f"{fit.at_bounds} of {fit.resamples}",
        )
        for fit in result.fits
    ]
    product = result.product
    powers = (
        "product",
        f"{result.entropy:.4f}",
        "–",
        f"{product.alpha:.2f}",
        ends(product.alpha_interval),
        f"{product.beta:.2f}",
        ends(product.beta_interval),
        f"{product.error:.1%}",
        "–",
    )
    head = "E|bits a token|95 %|α|95 %|β|95 %|error of the loss above entropy|resamples at the bounds"
    return f"""\
**How does loss fall with parameters and data, down to a known entropy?** A Markov chain over 64 tokens
whose regularities grow ever weaker and ever rarer; its entropy is {result.entropy:.4f} bits a token exactly (without
the token before: {result.order_0:.4f}). Transformers of {len(sizes)} sizes learn from {len(lengths)} lengths of it,
each token read once, {len(result.seeds)} seeds. The law is L = E + A / N^α + B / D^β, fitted with E held at the
entropy and with E
free; beside it a product, L = E + C / (N^α D^β), E held. Intervals are bootstraps over trainings.

![loss above the entropy](experiments/scaling.svg)

Loss in bits a token, by weights (rows) and tokens learnt from (columns):

{table("weights|" + "|".join(f"{tokens:,}" for tokens in lengths), rows)}

{table(head, [*fits, powers])}

{SCALING_SHOWS}"""


SCALING_SHOWS = """\
Loss falls by a power of weights and by one of data, towards the known entropy. But on this source and at these sizes
the two do not add up as the law says: on logarithmic axes the lines are parallel, and one power times another errs
less than the sum. A reason may be that each token is read once, and a larger network learns more from
each. The free floor's interval holds the known entropy, and is wide. What this does not
show: other sources, and sizes at which one of the two alone holds the loss up."""


def compute(result: Any) -> str:
    """Returns the section on test-time compute."""
    parts = []
    for domain in result.domains:
        place = (domain.environment, domain.model)
        own = [row for row in result.rows if (row.environment, row.model) == place]
        searches = list(dict.fromkeys((row.method, row.constant) for row in own))
        rows = [
            (
                method if constant is None else f"{method}, C = {constant:g}",
                *(interval(row.reward, 2) for row in own if (row.method, row.constant) == (method, constant)),
            )
            for method, constant in searches
        ]
        head = f"{bare(domain.environment)}, {domain.model}|" + "|".join(f"{budget:,}" for budget in domain.budgets)
        parts.append(table(head, rows))
    anchors = "; ".join(
        f"{bare(each.environment)}: random {each.random:.2f}, best constant action {each.constant:.2f}, "
        f"best known {each.best:.2f}"
        for each in {each.environment: each for each in result.anchors}.values()
    )
    lives = "; ".join(
        f"{bare(each.environment)}, {each.model}: {each.learning:,} cycles learnt from, horizon {each.horizon}, "
        f"{each.cycles} cycles measured"
        for each in result.domains
    )
    tables = "\n\n".join(parts)
    return f"""\
**What does thinking longer earn, with a model that is learnt and kept?** A model, context tree weighting or a
Transformer, learns from random play, and is then only read and searched in, so that nothing but the plan depends on
the budget.
rho-UCT with several C; beside it flat Monte-Carlo (the first action of the greatest mean return of random plans) and
the best of N
imagined random plans. {len(result.seeds)} seeds, each with its own model. {lives}.

![reward against simulations](experiments/compute.svg)

Reward a cycle by simulations a cycle, 95 % interval over seeds. {anchors}.

{tables}

{COMPUTE_SHOWS}"""


COMPUTE_SHOWS = """\
Reward rises with the logarithm of the budget and then flattens, at what the model knows: the Transformer, which has
seen little, comes to no more in Tiger than always to listen, the best constant action. At most budgets a tree earns
more than plans without one. The best of N plans is no search where percepts are random: the more plans are imagined,
the luckier the best of them, so that in Tiger more thinking earns *less*. In the cheese maze a small C stops short,
at the larger budgets, of what C = 1 reaches: a curve of one C measures that C as well. What this does not show:
models that go on learning from what they choose to do; other environments; or budgets at which every curve has surely
ended – the intervals of five seeds are wide where one wrong door costs 100."""


def pretraining(result: Any) -> str:
    """Returns the section on pre-training."""
    networks = [
        (
            name,
            f"{found.training.parameters:,}",
            f"{found.regret:.2f}",
            f"{found.ratio:.3f}",
            ends((found.ratio_low, found.ratio_high), 3),
        )
        for name, found in result.networks.items()
    ]
    tuning = [
        (
            bare(row.environment),
            f"{row.cycles:,}",
            *(interval(Estimate.of(values), 4) for values in (row.untuned, row.tuned, row.scratch)),
            interval(row.difference, 4),
        )
        for row in result.fine_tuning
    ]
    head = "environment|cycles|as pre-trained|fine-tuned|from scratch|fine-tuned less scratch, paired"
    return f"""\
**What does pre-training bring, in context and by fine-tuning?** Networks trained on variable-order Markov sources of
depth {result.depth}, a fresh one a sequence, read {result.sources:,} held-out ones; context tree weighting, the Bayes
mixture over these sources, has a regret of {result.ctw_regret:.2f} bits. Then a network trained on random play in many
environments is fine-tuned on one short life in an environment it has never seen, beside one of random weights.

![regret in context, and fine-tuning](experiments/pretraining.svg)

{table("network|weights|regret, bits|over context tree weighting's|95 %", networks)}

Held-out loss, bits a percept bit:

{table(head, tuning)}"""


def countdown(result: Any) -> str:
    """Returns the section on process and outcome reward models."""
    shown = result.budgets[::2]
    parts = []
    for found in result.settings:
        rows = [
            (
                line.method,
                *(
                    interval(Estimate.of([seed[result.budgets.index(budget)] for seed in line.by_seed]), 2)
                    for budget in shown
                ),
                f"{line.microseconds:.1f}",
            )
            for line in found.lines
        ]
        head = f"{found.setting.name}|" + "|".join(f"{budget:,}" for budget in shown) + "|µs a simulation"
        parts.append(table(head, rows))
    tables = "\n\n".join(parts)
    return f"""\
**Does judging steps find more than judging results, at equal search?** Share of Countdown problems solved by
simulations, 95 % interval over {result.seeds} seeds; judges have learnt from random completions alone.

![share solved against simulations](experiments/countdown.svg)

{tables}"""


SECTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "attention": ("Kinds of attention", attention),
    "recall": ("Recall at a distance", recall),
    "scaling": ("A scaling law", scaling),
    "compute": ("Test-time compute", compute),
    "pretraining": ("Pre-training", pretraining),
    "countdown": ("Countdown: judges of steps and of results", countdown),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, help="folder that `aixi experiment` wrote to")
    arguments = parser.parse_args()
    (DOCS / "experiments").mkdir(exist_ok=True)
    parts = []
    for name, (title, section) in SECTIONS.items():
        path = RESULTS / f"experiment-{name}.json"
        if arguments.source is not None and (arguments.source / f"{name}.json").exists():
            path.write_bytes((arguments.source / f"{name}.json").read_bytes())
        if not path.exists():
            print(f"left out: {name}, for there is no {path.relative_to(RESULTS.parents[1])}")
            continue
        result: Any = EXPERIMENTS[name].load(path.read_bytes())
        (DOCS / "experiments" / f"{name}.svg").write_bytes(EXPERIMENTS[name].draw(result))
        source = origin(msgspec.to_builtins(result))
        parts.append(f"## {title}\n\n{filled(f'`aixi experiment {name}`. {section(result)}')}\n\n{source}\n")
    page = "\n".join(parts)
    (DOCS / "experiments.md").write_text(
        f"""# Experiments

Made by `benchmarks/experiments_page.py` from what `aixi experiment` writes; the raw numbers are in
`benchmarks/results/`. Intervals are 95 %, Student's t over seeds, unless another is named. Times are of one noisy
two-core machine: quote ratios.

**Provisional.** To be run anew before they are quoted: recall and pre-training stopped early, and pre-training with
earlier settings than those of the code; the test-time budget's results are put together from three runs, one of them of
an earlier version; the product in the scaling law was added after its misfit was seen.

{page}"""
    )


if __name__ == "__main__":
    main()
