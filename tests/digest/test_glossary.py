import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.digest import stored
from sulan.digest.glossary import forms, terms, terms_in, translate

CHINESE = re.compile(r"[\u4e00-\u9fff]")
TERMS = terms()

EXPECTED = """
large language model 大语言模型
reinforcement learning 强化学习
quantization 量化
weight-only quantization 仅权重量化
rounding 取整
translation model 翻译模型
multilingual machine translation 多语言机器翻译
in-context learning 上下文学习
fine-tuning 微调
perplexity 困惑度
radiance field 辐射场
neural radiance field 神经辐射场
mesh 网格
throughput 吞吐量
transformer Transformer
attention mechanism 注意力机制
self-attention 自注意力
pretraining 预训练
chain-of-thought 思维链
hallucination 幻觉
prompt engineering 提示工程
instruction tuning 指令微调
few-shot learning 少样本学习
zero-shot learning 零样本学习
knowledge distillation 知识蒸馏
pruning 剪枝
mixture of experts 混合专家
diffusion model 扩散模型
latent diffusion model 潜在扩散模型
generative adversarial network 生成对抗网络
variational autoencoder 变分自编码器
convolutional neural network 卷积神经网络
recurrent neural network 循环神经网络
graph neural network 图神经网络
gradient descent 梯度下降
stochastic gradient descent 随机梯度下降
backpropagation 反向传播
overfitting 过拟合
cross-entropy 交叉熵
learning rate 学习率
hyperparameter 超参数
loss function 损失函数
contrastive learning 对比学习
self-supervised learning 自监督学习
transfer learning 迁移学习
federated learning 联邦学习
continual learning 持续学习
benchmark 基准
baseline 基线
ablation study 消融研究
data augmentation 数据增强
synthetic data 合成数据
deduplication 去重
speech recognition 语音识别
text-to-speech 文本转语音
object detection 目标检测
semantic segmentation 语义分割
point cloud 点云
super-resolution 超分辨率
volume rendering 体渲染
ray tracing 光线追踪
path tracing 路径追踪
high dynamic range 高动态范围
rigid body 刚体
reward model 奖励模型
policy gradient 策略梯度
imitation learning 模仿学习
latency 延迟
data parallelism 数据并行
mutual information 互信息
support vector machine 支持向量机
machine translation 机器翻译
named entity recognition 命名实体识别
retrieval-augmented generation 检索增强生成
residual stream 残差流
common sense reasoning 常识推理
"""
"""Written from the usage of Chinese textbooks and papers, not from the glossary."""

WRONG = {
    "reinforcement learning": "增强学习",
    "quantization": "量子化",
    "transformer": "变压器",
    "translation model": "传递模型",
    "mesh": "网眼",
    "tokenizer": "令牌化者",
    "rounding": "圆",
}
"""Mistranslations that were seen in digests or that a general dictionary gives."""


def test_the_glossary_is_large_and_covers_every_field():
    fields = Counter(term.field for term in TERMS)
    assert len({term.term for term in TERMS}) >= 450
    assert set(fields) == {
        "kept", "language_models", "evaluation", "systems", "training", "architecture", "compression", "data",
        "language", "vision", "diffusion", "graphics", "speech", "reinforcement", "graphs", "theory",
    }  # fmt: skip
    assert min(fields.values()) >= 15


def faults(term):
    """What is wrong with one line of the file, in words."""
    if not re.fullmatch(r"[A-Za-z0-9]+(?:[ -][A-Za-z0-9]+)*", term.term):
        yield "the term is not plain words"
    if not term.forms or len(set(term.forms)) != len(term.forms):
        yield "no form, or one twice"
    for form in term.forms:
        if form != form.strip() or re.search(r"[,;|()，；（）、/\"']", form):
            yield f"{form!r} is not one form"
    if term.field == "kept":
        if term.forms[0].lower() != term.term.lower():
            yield "a kept name is not kept"
    elif not any(CHINESE.search(form) for form in term.forms):
        yield "no Chinese form"
    if [found.term for found in terms_in(f"the {term.term} here")] != [term.term]:
        yield "not found in a text"
    if not set(term.forms) <= set(forms(term.term)):
        yield "not looked up"


def test_every_line():
    assert {f"{term.field}: {term.term}": wrong for term in TERMS if (wrong := list(faults(term)))} == {}


def test_no_term_stands_twice_in_a_field_or_under_two_spellings():
    written = Counter((term.field, re.sub(r"[ -]", "", term.term).lower()) for term in TERMS)
    assert [key for key, count in written.items() if count > 1] == []


def test_only_terms_that_fields_differ_on_stand_in_several_fields():
    fields: dict[str, list[tuple[str, ...]]] = {}
    for term in TERMS:
        fields.setdefault(term.term, []).append(term.forms)
    several = {term: chinese for term, chinese in fields.items() if len(chinese) > 1}
    assert set(several) == {"bias", "inference", "kernel", "throughput"}
    for chinese in several.values():
        assert len({preferred[0] for preferred in chinese}) == len(chinese)


@pytest.mark.parametrize("line", EXPECTED.strip().splitlines())
def test_accepted_translations(line):
    english, chinese = line.rsplit(" ", maxsplit=1)
    assert translate(english) == chinese


@pytest.mark.parametrize(("english", "wrong"), WRONG.items())
def test_wrong_translations_are_in_no_form(english, wrong):
    assert forms(english)
    assert wrong not in forms(english)


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("Large Language Models", "large language model"),
        ("LLMs", "LLM"),
        ("pre-training", "pretraining"),
        ("Pre-Training", "pretraining"),
        ("finetuning", "fine-tuning"),
        ("fine tuning", "fine-tuning"),
        ("quantisation", "quantization"),
        ("optimisers", "optimizer"),
        ("language modelling", "language modeling"),
        ("colour spaces", "color space"),
        ("corpora", "corpus"),
        ("vertices", "vertex"),
        ("meshes", "mesh"),
        ("soft bodies", "soft body"),
        ("policies", "policy"),
        ("biases", "bias"),
        ("losses", "loss"),
        ("n-grams", "n-gram"),
        ("multi-layer perceptrons", "multilayer perceptron"),
        ("mixture-of-experts", "mixture of experts"),
        ("chain of thought", "chain-of-thought"),
        ("state-of-the-art", "state of the art"),
        ("neural radiance\nfields", "neural radiance field"),
    ],
)
def test_one_term_in_many_spellings(written, term):
    assert translate(written) == translate(term) is not None
    assert [found.term for found in terms_in(f"We study {written}.")] == [term]


@pytest.mark.parametrize(
    "name", ["SignRound", "NExT-GPT", "MADLAD-400", "phi-1.5", "FIAT", "OPT", "", "…", "中文"]
)
def test_names_and_nothing_are_not_translated(name):
    assert translate(name) is None
    assert forms(name) == ()


def test_the_longest_term_wins_and_terms_do_not_overlap():
    text = "multilingual machine translation models"
    (found,) = terms_in(text)
    assert (found.term, text[found.start : found.end]) == ("multilingual machine translation model", text)


def test_a_term_does_not_reach_across_punctuation():
    assert [found.term for found in terms_in("We fine, tuning; of a large. Language model")] == [
        "language model"
    ]


def test_case_tells_an_acronym_from_a_word():
    text = "rags and moe and adam; RAG, MoE and Adam"
    assert [found.term for found in terms_in(text)] == ["RAG", "MoE", "Adam"]
    assert translate("rag") == "检索增强生成"


@pytest.mark.parametrize(
    ("term", "context", "chinese"),
    [
        (
            "throughput",
            "radiance and throughput along a ray, path tracing, meshes, light sources",
            "路径通量",
        ),
        ("throughput", "latency and throughput of inference on one GPU with tensor parallelism", "吞吐量"),
        ("bias", "weights, biases, gradients and the optimizer", "偏置"),
        ("bias", "toxicity and bias, fairness and safety", "偏见"),
        ("inference", "the posterior and the likelihood; Markov chain Monte Carlo", "推断"),
        ("inference", "inference latency and deployment", "推理"),
    ],
)
def test_the_context_decides_where_fields_differ(term, context, chinese):
    assert translate(term, context=context) == chinese


def test_the_stored_day_is_full_of_known_terms():
    for paper in stored.papers("2023-09-12") or ():
        text = f"{paper.title}. {paper.abstract}"
        found = terms_in(text)
        assert len({occurrence.term for occurrence in found}) >= 8
        for occurrence in found:
            assert translate(text[occurrence.start : occurrence.end])


@given(st.text(max_size=300))
def test_any_text_gives_terms_in_order_within_it(text):
    end = 0
    for found in terms_in(text):
        assert end <= found.start < found.end <= len(text)
        assert translate(text[found.start : found.end]) is not None
        end = found.end


@given(st.lists(st.sampled_from([term.term for term in TERMS]), max_size=8))
def test_every_term_that_was_put_in_is_found(chosen):
    assert [found.term for found in terms_in("; ".join(chosen))] == chosen
