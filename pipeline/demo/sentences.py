"""The wordings of the synthetic corpora, with and without an emotion or a sentiment.

`{name}` stands for one of the fillers of that name. The English wordings avoid pairs
that espeak-ng speaks as one word ("of the", "in the", "there is"), because each word
needs a time of its own.
"""

import random
import re

FILLERS = {
    "who": (
        "my brother",
        "my sister",
        "Anna",
        "my neighbor",
        "our teacher",
        "Peter",
        "my boss",
        "your cousin",
    ),
    "thing": (
        "my car",
        "our garden",
        "that letter",
        "this house",
        "your phone",
        "our trip",
        "that movie",
        "our plan",
    ),
    "when": (
        "yesterday",
        "last night",
        "on Monday",
        "this morning",
        "before lunch",
        "after school",
        "on Friday",
    ),
    "where": ("at school", "at work", "near our house", "down town", "at home", "next door"),
    "very": ("so", "really", "very", "just"),
    "fury": ("furious", "angry", "mad"),
    "blame": ("unfair", "rude", "disgusting"),
    "noise": ("lying", "shouting", "blaming me"),
    "grief": ("sad", "lonely", "hopeless"),
    "joy": ("happy", "glad", "proud"),
    "nice": ("wonderful", "lovely", "perfect"),
    "thrill": ("amazing", "fantastic", "wonderful"),
    "plain": ("normal", "correct", "regular"),
    "paper": ("form", "report", "list"),
}

CARRIERS = (
    "{who} came back",
    "{who} called me {when}",
    "I met {who}",
    "we talked {when}",
    "{who} told me",
    "I saw {who} {when}",
    "{who} asked about {thing}",
    "{who} works {where}",
    "I thought about {thing}",
    "{who} will stay {where}",
    "we spoke {where}",
    "{who} has seen {thing}",
)

EMOTIONAL = {
    "angry": (
        "I'm {very} {fury}",
        "that is {very} {blame}",
        "stop {noise}",
        "I hate you",
        "what a stupid lie",
        "you make me so {fury}",
        "I hate this stupid mess",
    ),
    "happy": (
        "I'm {very} {joy}",
        "what a {nice} day",
        "I love it",
        "that is {very} {nice}",
        "you make me smile",
        "I love this {nice} place",
    ),
    "excited": (
        "I'm {very} excited",
        "that is {very} {thrill}",
        "wow, we won",
        "I love it, wow",
        "guess what, we won",
        "hurray, I can hardly wait",
    ),
    "sad": (
        "I feel {very} {grief}",
        "I miss him badly",
        "I cried all night",
        "it breaks my heart",
        "I feel {grief} and empty",
        "she died and I miss her",
        "he died and I cried",
    ),
    "neutral": (
        "that is {very} {plain}",
        "the {paper} is {plain}",
        "please sign this {paper}",
        "I checked my usual {paper}",
        "the meeting starts at nine",
        "as usual, we follow our {paper}",
        "the meeting is on my {paper}",
    ),
}

MANDARIN_FILLERS = {
    "谁": ("我哥哥", "我妹妹", "小王", "邻居", "老师", "小李", "老板", "朋友"),
    "何时": ("昨天", "今天早上", "星期天", "晚上", "刚才", "上个月"),
    "何事": ("这部电影", "那个地方", "这家饭店", "他的工作", "那本书", "这次旅行"),
    "很": ("真的很", "非常", "特别", "太"),
    "好": ("开心", "高兴", "幸福", "快乐"),
    "坏": ("难过", "生气", "失望", "伤心"),
}

MANDARIN_CARRIERS = (
    "{谁}{何时}来过",
    "{谁}说起{何事}",
    "我们{何时}谈到{何事}",
    "{谁}{何时}给我打电话",
    "{谁}看过{何事}",
    "我{何时}和{谁}见面",
)

MANDARIN_EMOTIONAL = {
    "negative": (
        "我{很}{坏}",
        "{何事}让我{很}{坏}",
        "我讨厌{何事}",
        "这里糟糕极了",
        "我再也不想来",
        "真让人{坏}",
    ),
    "neutral": (
        "按照计划进行",
        "情况和平常一样",
        "会议九点开始",
        "表格放在桌子上",
        "地址写在纸上",
        "一切照常进行",
    ),
    "positive": (
        "我{很}{好}",
        "{何事}让我{很}{好}",
        "我喜欢{何事}",
        "这里美极了",
        "祝贺你成功",
        "真让人{好}",
    ),
}


def fill(template: str, fillers: dict[str, tuple[str, ...]], chance: random.Random) -> str:
    """The template with a random filler in each `{name}`."""
    return re.sub(r"\{(.+?)\}", lambda match: chance.choice(fillers[match[1]]), template)


def sentence(emotion: str | None, chance: random.Random) -> str:
    """An English sentence of two clauses; None for one that shows no emotion."""
    carriers = [fill(template, FILLERS, chance) for template in chance.sample(CARRIERS, 2)]
    clauses = (
        carriers
        if emotion is None
        else [fill(chance.choice(EMOTIONAL[emotion]), FILLERS, chance), carriers[0]]
    )
    chance.shuffle(clauses)
    text = ", ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def mandarin_sentence(sentiment: str | None, chance: random.Random) -> str:
    """A Mandarin sentence of two clauses; None for one that shows no sentiment."""
    carriers = [
        fill(template, MANDARIN_FILLERS, chance) for template in chance.sample(MANDARIN_CARRIERS, 2)
    ]
    if sentiment is None:
        clauses = carriers
    else:
        clauses = [
            fill(chance.choice(MANDARIN_EMOTIONAL[sentiment]), MANDARIN_FILLERS, chance),
            carriers[0],
        ]
    chance.shuffle(clauses)
    return "，".join(clauses) + "。"
