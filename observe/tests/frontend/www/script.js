const fetched = await fetch("fetched.txt").then((answer) => answer.text());
document.querySelector("#script").innerText = `a script, ${fetched}`;
