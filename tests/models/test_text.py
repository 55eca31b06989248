"""Prompts and targets become tokens apart, with the boundary space in the target."""

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from outgrow.core.errors import DataError
from outgrow.models.text import Coder, Dialogue, cut_left


def bpe(vocabulary: list[str], merges: list[tuple[str, str]], **options) -> PreTrainedTokenizerFast:
    """Byte pairs without a pre-tokenizer, so that a merge may cross any boundary."""
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(vocabulary)}, merges))
    if options.pop("prepend", False):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("_"), normalizers.Replace(" ", "_")])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", **options)


def test_boundary_space_is_part_of_the_target_and_never_of_the_prompt():
    coder = Coder(bpe(["<pad>", "</s>", "a", "b", " ", " b"], [(" ", "b")]))
    assert coder.prompts(["a", "a "]) == [[2], [2]]
    assert coder.targets(["a", "a "], ["b", "b"]) == [[5, 1], [5, 1]]  # " b" and the end


def test_no_space_is_put_after_a_line_break():
    coder = Coder(bpe(["<pad>", "</s>", "a", "b", " ", "\n"], []))
    assert coder.targets(["a\n"], ["b"]) == [[3, 1]]


def test_tokens_that_joint_tokenisation_would_merge_over_the_boundary_are_counted():
    # "a\n" + "b" is [a, \n, b] apart; together it is [a, "\nb"]. "a" + " b" is [a, " b"] both ways.
    coder = Coder(bpe(["<pad>", "</s>", "a", "b", " ", "\n", "\nb", " b"], [("\n", "b"), (" ", "b")]))
    assert coder.mismatches(["a\n", "a", "a\n"], ["b", "b", "b"]) == 2


def test_a_tokenizer_that_puts_a_space_before_every_text_gets_none_from_us():
    # "a b" is [_a, _b]; "b" alone is [_b], and " b" would be [_, _b]
    merges = [("_", "a"), ("_", "b")]
    coder = Coder(bpe(["<pad>", "</s>", "a", "b", "_", "_a", "_b"], merges, prepend=True))
    assert coder.boundary == ""
    assert coder.targets(["a"], ["b"]) == [[6, 1]]
    assert coder.mismatches(["a"], ["b"]) == 0


def test_prompt_starts_with_the_token_the_tokenizer_sets_and_has_no_end_token(tiny_lm):
    coder = Coder(AutoTokenizer.from_pretrained(tiny_lm))
    names = coder.tokenizer.convert_ids_to_tokens
    assert names(coder.prompts(["question : w1"])[0]) == ["<s>", "question", ":", "w1"]
    assert names(coder.targets(["question : w1"], ["yes"])[0]) == ["yes", "</s>"]


def test_all_that_the_tokenizer_puts_before_a_text_stands_before_a_prompt():
    tokenizer = bpe(["<pad>", "</s>", "a", "b", " ", "[gMASK]", "<sop>"], [])
    ids = [("[gMASK]", 5), ("<sop>", 6), ("</s>", 1)]
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A </s>", special_tokens=ids
    )
    coder = Coder(tokenizer)
    assert coder.prefix == [5, 6]
    assert coder.prompts(["ab"]) == [[5, 6, 2, 3]]
    assert cut_left(coder.prompts(["abab"])[0], 4, coder.prefix) == [5, 6, 2, 3]


@pytest.mark.parametrize(
    ("marks", "kept"),
    [
        (["<|channel|>", "<|message|>", "<|end|>", "<|start|>"], "<|channel|>a<|message|>b<|end|><|start|>"),
        (["[THINK]", "[/THINK]"], "[THINK]a[/THINK]b"),
        (["<think>", "</think>"], "<think>a</think>b"),
        (["<|end|>", "<|message|>"], "ab"),  # not harmony: an ordinary end of a turn
    ],
)
def test_marks_of_reasoning_stay_in_a_text_and_other_special_tokens_do_not(marks, kept):
    tokenizer = bpe(["<pad>", "</s>", "a", "b", " "], [])
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    first, second, *rest = tokenizer.convert_tokens_to_ids(marks)
    ids = [0, first, 2, second, 3, *rest, 1]
    assert Coder(tokenizer).decode(ids).replace(" ", "") == kept


def test_target_without_a_token_is_an_error(tiny_lm):
    coder = Coder(AutoTokenizer.from_pretrained(tiny_lm))
    with pytest.raises(DataError, match="no token to learn from"):
        coder.targets(["question"], [" "])


def test_prompt_without_a_token_is_an_error():
    coder = Coder(bpe(["<pad>", "</s>", "a", "b", " "], []))
    with pytest.raises(DataError, match="has no tokens"):
        coder.prompts(["a", ""])


def test_tokenizer_without_an_end_token_is_refused(tiny_bert):
    with pytest.raises(DataError, match="no end-of-sequence token"):
        Coder(AutoTokenizer.from_pretrained(tiny_bert))


def test_chat_template_wraps_the_prompt_and_leaves_no_boundary_space():
    tokenizer = bpe(["<pad>", "</s>", "a", "b", " ", "[", "]"], [])
    tokenizer.chat_template = "{% for m in messages %}[{{ m.content }}]{% endfor %}"
    coder = Coder(tokenizer, chat=True)
    assert coder.prompts(["a"]) == [[5, 2, 6, 5]]  # what opens a turn is not left to the model
    assert coder.targets(["a"], ["b"]) == [[3, 1]]


def test_demonstrations_are_earlier_turns_of_a_chat():
    tokenizer = bpe(["<pad>", "</s>", "a", "b", "[", "]", "u", "m", " "], [])
    tokenizer.chat_template = (
        "{% for m in messages %}[{{ 'u' if m.role == 'user' else 'm' }}{{ m.content }}]{% endfor %}"
    )
    coder = Coder(tokenizer, chat=True)
    (ids,) = coder.prompts([Dialogue((("a", "b"), ("b", "a")), "a")])
    assert "".join(tokenizer.convert_ids_to_tokens(ids)) == "[ua][mb][ub][ma][ua][m"


def test_chat_without_a_template_is_refused():
    with pytest.raises(DataError, match="no chat template"):
        Coder(bpe(["<pad>", "</s>", "a", "b", " "], []), chat=True)


def test_long_prompts_lose_their_beginning_but_not_the_start_token():
    assert cut_left([1, 5, 6, 7, 8], 3, [1]) == [1, 7, 8]
    assert cut_left([5, 6, 7, 8], 3, [1]) == [6, 7, 8]
    assert cut_left([1, 5, 6], 3, [1]) == [1, 5, 6]
    assert cut_left([1, 5, 6], 1, [1]) == [6]


def test_word_pieces_split_by_white_space_count_as_no_mismatch():
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "a": 2, "b": 3, "?": 4}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    coder = Coder(PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>"))
    assert coder.mismatches(["a b a", "b"], ["b", "a"]) == 0
